/** Node's own names for what concerns the author of a library more than its user. */
const FOR_AUTHORS = /^(Deprecation|Experimental|PendingDeprecation)Warning$/;

/**
 * Warnings of cells come on their standard error, with the place in the cell. Deprecated and experimental features are
 * told where a cell or a local module uses them, not where an installed package or the kernel does.
 */
export function showWarnings(): void {
  process.removeAllListeners("warning"); // Node's own, which speaks to the terminal
  process.on("warning", (warning: Error & { code?: string; detail?: string }) => {
    const { name, code, message, detail, stack = "" } = warning;
    const frames = stack.split("\n").filter((line) => /^    at /.test(line) && !/\bnode:/.test(line));
    if (FOR_AUTHORS.test(name) && (!frames[0] || /node_modules|\/moelab\/dist\//.test(frames[0]))) return;
    const place = frames.map((line) => /Cell \[\d+\]:\d+:\d+/.exec(line)?.[0]).find(Boolean);
    const parts = [`${name}${code ? ` [${code}]` : ""}: ${message}`, place && `    at ${place}`, detail];
    process.stderr.write(`${parts.filter(Boolean).join("\n")}\n`);
  });
}

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** the folder of the built kernel, or of this file */
const KERNEL = dirname(fileURLToPath(import.meta.url));
/** what the kernel itself uses, of which Node tells at the cell that runs first */
const OWN = "vm.USE_MAIN_CONTEXT_DEFAULT_LOADER ";
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
    if (message.startsWith(OWN)) return;
    const frames = stack.split("\n").filter((line) => /^    at /.test(line) && !/\bnode:/.test(line));
    if (FOR_AUTHORS.test(name) && (!frames[0] || /node_modules/.test(frames[0]) || frames[0].includes(KERNEL))) return;
    const place = frames.map((line) => /Cell \[\d+\]:\d+:\d+/.exec(line)?.[0]).find(Boolean);
    const parts = [`${name}${code ? ` [${code}]` : ""}: ${message}`, place && `    at ${place}`, detail];
    process.stderr.write(`${parts.filter(Boolean).join("\n")}\n`);
  });
}

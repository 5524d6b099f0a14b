import { spawn } from "node:child_process";

export interface Finished {
  code: number;
  output: string;
}

/** Runs a program to its end and gives all it printed; code 127 if there is no such program. */
export function run(
  program: string,
  args: string[],
  options: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): Promise<Finished> {
  return new Promise((done) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (chunk: Buffer) => {
      output += chunk;
      if (options.onLine) {
        for (const line of String(chunk).split("\n"))
          if (line.trim())
            options.onLine(line.trim());
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", () => done({ code: 127, output: `${program}: not found` }));
    child.on("close", (code) => done({ code: code ?? 1, output }));
  });
}

/** The end of a program's output, for an error message. */
export function lastLines(output: string, count = 8): string {
  return output.trim().split("\n").slice(-count).join("\n");
}

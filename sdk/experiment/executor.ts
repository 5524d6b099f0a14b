import { spawn } from "node:child_process";
import { MoeError } from "../errors.js";

/** How a unit is run, for whoever decides where. */
export interface UnitRunner {
  /** in this process */
  here(unit: string): Promise<void>;
  /** arguments for node in another process, on this machine or on one that sees the same folders */
  command(unit: string): string[];
}

/**
 * Decides where units are run: this machine's processes, or a cluster's scheduler. A unit does not know; it takes its
 * lock and its result file by name. Resolves when no unit is running any more.
 */
export interface Executor {
  run(units: readonly string[], runner: UnitRunner): Promise<void>;
}

/** One after another in this process. */
export const thisProcess: Executor = {
  async run(units, runner) {
    for (const unit of units) await runner.here(unit);
  },
};

/**
 * So many at a time, each in a process of its own.
 *
 * @throws MoeError `units-failed` when all have ended and one of them did not succeed
 */
export function processes(count: number): Executor {
  return {
    async run(units, runner) {
      const queue = [...units];
      const failed: string[] = [];
      const worker = async () => {
        for (let unit = queue.shift(); unit !== undefined; unit = queue.shift())
          if (!(await ends(runner.command(unit))))
            failed.push(unit);
      };
      await Promise.all(Array.from({ length: count }, worker));
      if (failed.length > 0)
        throw new MoeError("units-failed",
          `study run: ${failed.join(", ")} ended with an error; what was done before it is kept. Run them alone to `
            + "see it.");
    },
  };
}

function ends(command: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    spawn(process.execPath, [...process.execArgv, ...command], { stdio: "inherit" }).on("error", () => resolve(false))
      .on("exit", (code) => resolve(code === 0));
  });
}

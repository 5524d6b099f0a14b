import { spawnSync } from "node:child_process";
import { shimUtil } from "./shim-util.js";

/** Loads the package that argument 1 names and multiplies with it. Its own chatter goes to the pipes and is dropped. */
const SCRIPT = `
  (${shimUtil.toString()})(require("node:util"));
  const tf = require(process.argv[1]);
  const [value] = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync());
  if (value !== 11) throw new Error("a product of a row and a column is " + value + ", not 11");
  process.exit(0);
`;

/**
 * Loads a native package in a process of its own, where it may crash, hang and print as it likes.
 * Costs one start of the package, and only those who have installed it.
 *
 * @param folder of the package
 * @returns why it cannot be used, in one line; undefined when it loads and computes
 */
export function tryApart(folder: string, limitMs = Number(process.env.MOELAB_PACKAGE_LIMIT_MS) || 60_000):
  | string
  | undefined {
  const { error, status, signal, stderr } = spawnSync(process.execPath, ["-e", SCRIPT, folder], { timeout: limitMs,
    killSignal: "SIGKILL", encoding: "utf8", maxBuffer: 1 << 26,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3", NODE_OPTIONS: "" } });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT")
    return `it does not finish loading within ${limitMs / 1000} s`;
  if (error) return error.message;
  if (signal) return `it ends the process with ${signal}`;
  if (status === 0) return undefined;
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines.find((line) => /^(\w*Error|Error \[\w+\]): /.test(line))?.replace(/^\w*Error( \[\w+\])?: /, "")
    ?? `it ends the process with exit status ${status}`;
}

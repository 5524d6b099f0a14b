import { MoeError } from "../../../errors.js";
import { run } from "./run.js";

/** The Python whose pip downloads and unpacks the wheel; it is not needed afterwards. */
export async function findPython(): Promise<string> {
  const names = process.env.MOELAB_PYTHON ? [process.env.MOELAB_PYTHON] : ["python3", "python"];
  for (const name of names) {
    if ((await run(name, ["-m", "pip", "--version"])).code === 0) return name;
  }
  throw new MoeError("engine-no-pip",
    `engine build: no Python with pip was found (tried ${names.join(", ")}); it downloads and unpacks `
      + "PyTorch's wheel and is not used afterwards. Install it (Debian and Ubuntu: apt install "
      + "python3-pip), name one in MOELAB_PYTHON, or give a downloaded wheel with --wheel FILE.");
}

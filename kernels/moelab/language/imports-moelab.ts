import { readFileSync } from "node:fs";

/**
 * Whether a notebook file holds an import of moelab.
 * @param file as Jupyter tells it to the kernels that it starts (JPY_SESSION_NAME); a console has none
 */
export function importsMoelab(file: string | undefined): boolean {
  try {
    return /\bfrom\s*\\?["']moelab\\?["']/.test(readFileSync(file ?? "", "utf8"));
  } catch {
    return false;
  }
}

import { Command } from "commander";
import { diagnose } from "./diagnosis.js";

/** `moelab doctor`: what computes here, how fast, and what would make it better. */
export const command = new Command("doctor").description("what computes here, how fast, and what would make it better")
  .option("--json", "as JSON, for programs").action(async ({ json }: { json?: boolean }) => {
    const diagnosis = await diagnose();
    console.log(json ? JSON.stringify(diagnosis, null, 2) : diagnosis.toText());
  });

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KernelClient } from "../../../kernels/headless/kernel-client.js";
import { moelabSpec } from "../../../kernels/headless/kernel-spec.js";

/** A kernel whose process ends at once the first `times`, as one whose port was taken; every start is written down. */
async function stumbling(folder: string, times: number) {
  const { argv: [node, ...argv], ...spec } = moelabSpec();
  const script = join(folder, "stumble.mjs");
  await writeFile(join(folder, "starts"), "");
  await writeFile(script, `
    import { appendFileSync, readFileSync } from "node:fs";
    import { spawn } from "node:child_process";
    const file = ${JSON.stringify(join(folder, "starts"))};
    appendFileSync(file, "x");
    if (readFileSync(file).length <= ${times}) process.exit(0);
    spawn(${
    JSON.stringify(node)
  }, process.argv.slice(2), { stdio: "inherit" }).on("exit", (code) => process.exit(code ?? 1));
  `);
  return { ...spec, argv: [node!, script, ...argv] };
}

for (const [times, word] of [[1, "once"], [2, "twice"]] as const) {
  test(`a kernel that ends ${word} before it answers is started again`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "moelab-"));
    const kernel = await KernelClient.start(await stumbling(folder, times), folder);
    const { content } = await kernel.execute("1 + 1").reply;
    assert.is(content.status, "ok");
    assert.is(await readFile(join(folder, "starts"), "utf8"), "x".repeat(times + 1));
    await kernel.stop();
    await rm(folder, { recursive: true });
  });
}

test("a kernel that always ends is given up with how it ended", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moelab-"));
  const spec = await stumbling(folder, 9);
  try {
    await KernelClient.start(spec, folder);
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, "kernel-not-ready");
    assert.match((error as Error).message, "ended with code 0");
  }
  assert.is(await readFile(join(folder, "starts"), "utf8"), "xxx");
  await rm(folder, { recursive: true });
});

test.run();

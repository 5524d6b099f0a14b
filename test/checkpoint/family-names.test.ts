import { readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { logitsAsIn, logitsAsReported, withAltered } from "../support/altered-fixture.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

test("prefix-language-model of the reports", async () => {
  const opened = await openModel(fixture("reports/prefix-language-model"));
  await logitsAsReported("prefix-language-model", opened);
  assert.match(opened.notes[0], /model\.language_model\.\S+ is read as model\.\S+/);
  await opened.model.dispose();
});

const EVERYWHERE: [string, (name: string) => string][] = [["torch.compile", (name) => `_orig_mod.${name}`], [
  "torch.compile of each layer",
  (name) => name.replace(/((?:layers|blocks|block|h|layer)\.\d+)\./, "$1._orig_mod."),
], ["DistributedDataParallel", (name) => `module.${name}`], ["FSDP around everything",
  (name) => `_fsdp_wrapped_module.${name.replace(/^([^.]+)\./, "$1._fsdp_wrapped_module.")}`], ["another wrapper",
  (name) => `policy.net.${name}`]];
const MODEL_ROOT: [string, (name: string) => string][] = [["model.language_model.",
  (name) => name.replace(/^model\./, "model.language_model.")], ["language_model.", (name) => `language_model.${name}`],
  ["no model.", (name) => name.replace(/^model\./, "")], ["another word",
  (name) => name.replace(/^model\./, "transformer.")]];

for (const name of readdirSync(fixture("models")).filter((one) => !one.endsWith("_sharded"))) {
  test(`${name}: names behind wrappers`, async () => {
    for (const [, rename] of EVERYWHERE)
      await withAltered(name, (all) => all.map((each) => ({ ...each, name: rename(each.name) })), (opened) =>
        logitsAsIn(name, opened));
  });
}

for (const name of ["deepseek_v3", "granitemoe", "mixtral", "qwen3", "qwen3_moe", "qwen3_next"]) {
  test(`${name}: another beginning of names`, async () => {
    for (const [, rename] of MODEL_ROOT)
      await withAltered(name, (all) => all.map((each) => ({ ...each, name: rename(each.name) })), (opened) =>
        logitsAsIn(name, opened));
  });
}

test("a tensor that is missing is missing under any beginning, and the names of the checkpoint are told", async () => {
  const error = await rejects(
    withAltered("mixtral", (all) =>
      all.filter(({ name }) =>
        !/layers\.1.*k_proj/.test(name)
      ).map((each) => ({ ...each, name: `other.${each.name}` })), async () => {}),
  );
  assert.match(error.message, /layers\.1\.attention\.k/);
  assert.match(error.message, /other\.lm_head\.weight is read as/);
});

test.run();

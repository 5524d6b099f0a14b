import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { loadStage } from "../../sdk/stages/load.js";
import { logitsAsIn, logitsAsReported, withAltered } from "../support/altered-fixture.js";
import { reference, tensorClose } from "../support/reference.js";
import { fixture } from "../support/shared.js";

test("tied-but-different-head of the reports: the stored head is used, told, and kept on save", async () => {
  const opened = await openModel(fixture("reports/tied-but-different-head"));
  await logitsAsReported("tied-but-different-head", opened);
  assert.match(opened.notes[0], /lm_head\.weight differs from model\.embed_tokens\.weight/);
  const root = await mkdtemp(join(tmpdir(), "moelab-tied-"));
  try {
    for (const layout of ["moelab", "expanded", "pruned"] as const) {
      const folder = join(root, layout);
      await saveModel(folder, opened.model, { ...opened, original: opened.store, layout });
      const again = await openModel(folder);
      await logitsAsReported("tied-but-different-head", again);
      assert.is(again.config.tie_word_embeddings, false, "what transformers 4 reads");
      await again.model.dispose();
    }
  } finally {
    await rm(root, { recursive: true });
  }
  await opened.model.dispose();
});

test("a study warns of a head that differs", async () => {
  const { warnings, model } = await loadStage(fixture("reports/tied-but-different-head"));
  assert.match(warnings!.join(), /lm_head\.weight differs/);
  await model.dispose();
});

test("t5-without-shared of the reports: the embedding of the decoder is that of the encoder", async () => {
  const opened = await openModel(fixture("reports/t5-without-shared"));
  await logitsAsReported("t5-without-shared", opened);
  await opened.model.dispose();
});

/** family -> its embedding and its head on disk */
const TIED: Record<string, [embed: string, head: string]> = {
  bert: ["bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"],
  ernie4_5_moe: ["model.embed_tokens.weight", "lm_head.weight"],
  gpt2: ["wte.weight", "lm_head.weight"],
  granitemoe: ["model.embed_tokens.weight", "lm_head.weight"],
  hunyuan_v1_moe: ["model.embed_tokens.weight", "lm_head.weight"],
  jetmoe: ["model.embed_tokens.weight", "lm_head.weight"],
  lfm2_moe: ["model.embed_tokens.weight", "lm_head.weight"],
  nllb_moe: ["model.shared.weight", "lm_head.weight"],
  opt: ["model.decoder.embed_tokens.weight", "lm_head.weight"],
  qwen3: ["model.embed_tokens.weight", "lm_head.weight"],
  switch_transformers: ["shared.weight", "lm_head.weight"],
  t5: ["shared.weight", "lm_head.weight"],
};

for (const [name, [embed, head]] of Object.entries(TIED)) {
  test(`${name}: a head with the embedding's numbers is a copy, one with others is the head`, async () => {
    const doubled = (factor: number) =>
      withAltered(name, (all) => {
        const { shape, values } = all.find((tensor) => tensor.name === embed)!;
        return [...all, { name: head, shape, values: values.map((value) => value * factor) }];
      }, async (opened) => {
        if (factor === 1) return logitsAsIn(name, opened).then(() => assert.equal(opened.notes, []));
        const expected = await reference(fixture(`models/${name}`));
        const optional = async (tensor: string) => (expected.has(tensor) ? expected.rows(tensor) : undefined);
        const forward = await opened.model.forward({ ids: await expected.rows("single.input_ids"),
          decoderIds: await optional("single.decoder_input_ids"),
          tokenTypes: await optional("single.token_type_ids") });
        // logits are linear in the head; its bias is 0 or known
        const bias = name === "bert" ? await opened.store.values("cls.predictions.bias") : undefined;
        const wanted = (await expected.values("single.logits")).map((logit, i) => {
          const shift = bias?.[i % bias.length] ?? 0;
          return (logit - shift) * factor + shift;
        });
        await tensorClose(forward.logits, wanted, `${name} logits`, { absolute: 2e-4 });
        assert.match(opened.notes[0], new RegExp(`${head} differs`));
        forward.dispose();
        await expected.close();
      });
    await doubled(1);
    await doubled(2);
  });
}

test("a tied model of which only the head was saved", () =>
  withAltered("qwen3", (all) =>
    all.map((tensor) => ({ ...tensor, name: tensor.name.replace("model.embed_tokens", "lm_head") })), (opened) =>
    logitsAsIn("qwen3", opened)));

for (const name of ["t5", "switch_transformers"]) {
  test(`${name}: embeddings of encoder and decoder that differ from shared.weight`, () =>
    withAltered(name, (all) => {
      const { shape, values } = all.find((tensor) => tensor.name === "shared.weight")!;
      return [...all.filter((tensor) => tensor.name !== "shared.weight"), { name: "shared.weight", shape,
        values: values.map(() => 9) },
        ...["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"].map((own) => ({ name: own,
          shape, values })
        )];
    }, (opened) => logitsAsIn(name, opened)));
}

test("the head's bias of BERT is the decoder's where both are there", async () => {
  const { head } = JSON.parse(await readFile("data/families/bert.json", "utf8")).spec as { head: { bias: boolean } };
  assert.is(head.bias, true);
  await withAltered("bert", (all) => {
    const { shape, values } = all.find((tensor) => tensor.name === "cls.predictions.bias")!;
    return [
      ...all.map((tensor) =>
        tensor.name === "cls.predictions.bias" ? { ...tensor, values: values.map(() => 5) } : tensor
      ),
      { name: "cls.predictions.decoder.bias", shape, values },
    ];
  }, (opened) => logitsAsIn("bert", opened));
});

test.run();

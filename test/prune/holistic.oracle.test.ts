import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { from, load } from "../../sdk/pipeline.js";
import type { StreamCosine } from "../../sdk/profile/observers/stream-cosine.js";
import { close } from "../support/close.js";
import { oracle } from "../support/oracle.js";

const test = suite("holistic study against its authors' code");
const found = await oracle("holistic-compression", "holistic-compression", "tensors");

if (found) {
  const { json, tensors } = found;
  const folder = mkdtempSync(join(tmpdir(), "moelab-holistic-"));
  test.after(() => rmSync(folder, { recursive: true }));
  const values = (name: string) => tensors.get(name)!.values;

  /** The oracle's model as a checkpoint that transformers would read. */
  const checkpoint = async (prefix: string, config: object): Promise<string> => {
    const path = join(folder, prefix);
    const own = [...tensors].filter(([name]) => name.startsWith(`${prefix}.`) && name.endsWith(".weight")).map(
      ([name, { shape, values }]) => ({ name: name.slice(prefix.length + 1), dtype: "F32" as const, shape,
        bytes: new Uint8Array(values.slice().buffer) })
    );
    mkdirSync(path, { recursive: true });
    await writeTensors(join(path, "model.safetensors"), own, own);
    await writeFile(join(path, "config.json"), JSON.stringify(config));
    return path;
  };
  const mixtral = await checkpoint("mixtral", { model_type: "mixtral", architectures: ["MixtralForCausalLM"],
    tie_word_embeddings: false, hidden_act: "silu", sliding_window: null, torch_dtype: "float32",
    head_dim: json.mixtral.config.hidden_size / json.mixtral.config.num_attention_heads, ...json.mixtral.config });
  const samples: number[][] = json.mixtral.samples;
  // one sample a batch; what follows a token is asked for, so that there are labels
  const data = samples.map((ids) => ({ ids: [ids], labels: [ids.map((_, t) => ids[t + 1] ?? -1)] }));
  const profiled = (path = mixtral, statistics = ["gateMass", "chosenGateMass", "streamCosine", "streamWindows.4"]) =>
    load(path).profile({ data, statistics: ["usage", ...statistics] });
  const logitsOf = async (model: { forward(batch: { ids: number[][] }): Promise<any> }) => {
    const run = await model.forward({ ids: [samples[0]] });
    const logits = Float32Array.from(await run.logits.data());
    run.dispose();
    return logits;
  };
  const layers = json.mixtral.config.num_hidden_layers;

  test("the model and its scores", async () => {
    const study = await profiled();
    close(await logitsOf(study.model), values("mixtral.logits.0"), 1e-4, "logits");
    json.expert_drop.layer_wise[0].scores.forEach((row: number[], layer: number) =>
      close((study.profile!.layers[`layers.${layer}`].gateMass as number[]).map((sum) => sum / samples.length), row,
        1e-5, `layer ${layer}`)
    );
  });

  for (const scope of ["layer_wise", "global"]) {
    for (const run of json.expert_drop[scope].filter((run: any) => !run.failed && run.preserve_n > 0)) {
      test(`expert drop, ${scope}, keep ${run.preserve_n}${run.reverse ? ", reversed" : ""}`, async () => {
        const options = { method: "expert-drop", keep: run.preserve_n === 1 ? 1 / 6 : run.preserve_n,
          scope: scope.replace("_", "-"), reverse: run.reverse } as const;
        const study = from(await profiled());
        const { plan } = await study.plan(options as never);
        const kept = Array.from({ length: layers }, (_, layer) => {
          const change = plan!.layers[`layers.${layer}`];
          return change ? (change.drop ? [] : change.router!.rows!) : Array.from({ length: 6 }, (_, e) => e);
        });
        assert.equal(kept, run.kept);
        if (run.logits_of_sample_0)
          close(await logitsOf((await study.prune(options as never)).model), values(run.logits_of_sample_0), 1e-4,
            "logits");
        if (run.logits_with_all_rows_of_the_gate) {
          const loose = await study.prune({ ...options, rows: "keep" } as never);
          close(await logitsOf(loose.model), values(run.logits_with_all_rows_of_the_gate), 1e-4, "all rows");
          const masked = await study.prune({ ...options, rows: "mask" } as never);
          close(await logitsOf(masked.model), values(run.logits_of_sample_0), 1e-4, "masked rows");
        }
      });
    }
  }

  test("layer drop: similarities, the order of layers, logits", async () => {
    const study = from(await profiled());
    const { profile } = await study;
    const cosines = Array.from({ length: layers }, (_, layer) =>
      profile!.blocks![`layers.${layer}`].streamCosine as StreamCosine);
    close(cosines.map(({ ffn }) => ffn), json.layer_drop.similarity, 1e-5, "similarity");
    for (const { n, layers: dropped } of json.layer_drop.dropped) {
      const { plan } = await study.plan({ method: "layer-drop", drop: n });
      assert.equal(Object.keys(plan!.layers), dropped.map((layer: number) => `layers.${layer}`));
    }
    const changed = await study.prune({ method: "layer-drop", drop: 2 });
    close(await logitsOf(changed.model), values(json.layer_drop["logits_of_sample_0_after_n=2"]), 1e-4, "logits");
  });

  test("block drop: similarities over windows, discrete and consecutive, logits", async () => {
    const study = from(await profiled());
    const { profile } = await study;
    json.block_drop.similarity_row_block_column_window_minus_1.forEach((row: (number | string)[], layer: number) =>
      close(profile!.blocks![`layers.${layer}`]["streamWindows.4"] as number[], row.filter((value) =>
        typeof value === "number"
      ) as number[], 1e-5, `block ${layer}`)
    );
    for (const [way, runs] of [["discrete", json.block_drop.discrete], ["consecutive",
      json.block_drop.consecutive_as_meant], ["released", json.block_drop.consecutive_as_released]]) {
      for (const { n, blocks } of runs) {
        const { plan } = await study.plan({ method: "block-drop", drop: n, way } as never);
        assert.equal(Object.keys(plan!.layers), blocks.map((block: number) => `layers.${block}`), `${way} ${n}`);
      }
    }
    const changed = await study.prune({ method: "block-drop", drop: 1 });
    close(await logitsOf(changed.model), values(json.block_drop["logits_of_sample_0_after_n=1"]), 1e-4, "logits");
  });

  test("expert drop after a layer drop: of what is left, as many as asked", async () => {
    // in the oracle layer 1 is marked gone; the released code then shifts the later layers by one
    const all = await profiled();
    const plan = { version: 1, for: await all.model.weights.fingerprint(), method: "by-hand", options: {},
      layers: { "layers.1": { drop: "ffn" } } } as never;
    const study = from(await from(all).apply(plan));
    const { plan: wise } = await study.plan({ method: "expert-drop", keep: json.after_layer_drop.layer_wise.preserve_n,
      scope: "layer-wise" });
    json.after_layer_drop.layer_wise.kept.forEach((kept: number[] | null, layer: number) =>
      assert.equal(wise!.layers[`layers.${layer}`]?.router!.rows ?? null, kept)
    );
    const { plan: global } = await study.plan({ method: "expert-drop", keep: json.after_layer_drop.global.preserve_n });
    const asked = json.after_layer_drop.global.preserve_n * (layers - 1);
    assert.is(Object.values(global!.layers).reduce((sum, { router }) => sum + router!.rows!.length, 0), asked);
  });

  test("deepseek: scores of chosen experts, a dense layer that can be dropped as a block alone", async () => {
    const { config, layer_wise, global, layer_similarity, block_similarity } = json.deepseek;
    const path = await checkpoint("deepseek", { model_type: "deepseek", hidden_act: "silu", scoring_func: "softmax",
      moe_layer_freq: 1, tie_word_embeddings: false, vocab_size: json.mixtral.config.vocab_size,
      num_key_value_heads: config.num_attention_heads, torch_dtype: "float32", ...config });
    const study = from(await profiled(path, ["chosenGateMass", "streamCosine"]));
    const { profile, model } = await study;
    close(await logitsOf(model), values("deepseek.logits.0"), 1e-4, "logits");
    const ids = Object.keys(profile!.layers);
    layer_wise[0].scores.forEach((row: number[], i: number) =>
      close((profile!.layers[ids[i]].chosenGateMass as number[]).map((sum) => sum / samples.length), row, 1e-5, ids[i])
    );
    for (const [scope, run] of [["layer-wise", layer_wise[0]], ["global", global[0]]]) {
      const { plan } = await study.plan(
        { method: "expert-drop", keep: run.preserve_n, scope, score: "chosen" } as never,
      );
      run.kept.forEach((kept: number[] | null, layer: number) =>
        assert.equal(plan!.layers[`layers.${layer}`]?.router!.rows ?? null, kept)
      );
    }
    const cosines = Object.values(profile!.blocks!).map(({ streamCosine }) => streamCosine as StreamCosine);
    close(cosines.map(({ layer }) => layer), block_similarity, 1e-5, "blocks");
    layer_similarity.forEach((value: number | string, layer: number) =>
      typeof value === "number" && close([cosines[layer].ffn], [value], 1e-5, `layer ${layer}`)
    );
    const { plan } = await study.plan({ method: "layer-drop", drop: 1 });
    assert.not("layers.0" in plan!.layers, "the dense block is no candidate");
  });
}

test.run();

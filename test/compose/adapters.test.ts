import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { cp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mapNames } from "../../sdk/checkpoint/name-map.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { ownRows, readBlock } from "../../sdk/checkpoint/place.js";
import { openTensors, type TensorStore } from "../../sdk/checkpoint/safetensors.js";
import { AdaptedWeights } from "../../sdk/compose/adapted-weights.js";
import { type Adapter, digestOf, productOf, readAdapter } from "../../sdk/compose/adapter.js";
import { type Combination, combineAdapters, type Masks } from "../../sdk/compose/combine-adapters.js";
import { placeAdapter } from "../../sdk/compose/place-adapter.js";
import { saveAdapter } from "../../sdk/compose/save-adapter.js";
import { Model } from "../../sdk/model/model.js";
import { moe } from "../../sdk/moe.js";
import { useBackend } from "../support/backends.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const root = fixture("adapters");
const test = suite("adapters");
if (!existsSync(root)) console.log(`skip: ${root} is not there, values of peft are not compared`);
else {
  const about = JSON.parse(readFileSync(join(root, "adapters.json"), "utf8")) as {
    adapters: Record<string, { base: string; merge_refused?: string }>;
    combinations: Record<string, { call: Call; refused?: string; masks?: [number, string][] }>;
    active_together: Record<string, { adapters: string[] }>;
    to_refuse: Record<string, unknown>;
  };
  interface Call {
    adapters: string[];
    weights: number[];
    combination_type: Combination;
    density?: number;
    majority_sign_method?: "total" | "frequency";
    svd_rank?: number;
  }
  const load = (name: string) => readAdapter(join(root, name));
  const close = (seen: ArrayLike<number>, wanted: ArrayLike<number>, within: number, what: string) => {
    assert.is(seen.length, wanted.length, what);
    for (let i = 0; i < seen.length; i++)
      if (!(Math.abs(seen[i] - wanted[i]) <= within))
        assert.unreachable(`${what} at ${i}: ${seen[i]}, not ${wanted[i]}`);
  };

  /** Every weight of the base with these adapters beside what peft merged, by the names on disk. */
  async function mergedEqual(
    base: string,
    adapters: Adapter[],
    expected: TensorStore,
    prefix = "merged.",
  ): Promise<void> {
    const { model, store, family } = await openModel(fixture(`models/${base}`));
    const weights = new AdaptedWeights(model.weights,
      adapters.map((adapter) => ({ additions: placeAdapter(adapter, model.spec, family), digest: digestOf(adapter) })));
    const left = new Set([...expected.names()].filter((name) => name.startsWith(prefix)));
    const of = {
      values: (name: string, rows?: { start: number; end: number }) => expected.values(prefix + name, rows),
    };
    for (const [name, place] of mapNames(model.spec, family, store)) {
      const isChanged = expected.has(prefix + place.name);
      left.delete(prefix + place.name);
      const wanted = isChanged ? ownRows(await readBlock(of as never, place), place) : await model.weights.values(name);
      close(await weights.values(name), wanted, 1e-6, name);
    }
    assert.equal([...left], []);
    const adapted = new Model("adapted", model.spec, weights);
    const given = await openTensors(fixture(`models/${base}/expected.safetensors`));
    const rows = async (name: string) => {
      const { shape: [, width] } = given.info(name), values = Array.from(await given.values(name));
      return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
    };
    const optional = async (name: string) => given.has(name) ? rows(name) : undefined;
    const kind = prefix.replace("merged.", "");
    const [ids, mask] = [await rows("batch.input_ids"), await rows("batch.attention_mask")];
    const decoderIds = await optional("batch.decoder_input_ids");
    const forward = await adapted.forward({ ids, mask, ...(decoderIds && { decoderIds }),
      ...(given.has("batch.token_type_ids") && { tokenTypes: await rows("batch.token_type_ids") }) });
    const logits = await forward.logits.data(), wanted = await expected.values(`${kind}batch.logits`);
    const vocabulary = forward.logits.shape[2];
    const real = decoderIds ? undefined : mask.flat();
    for (let n = 0; n * vocabulary < logits.length; n++) {
      if (real && !real[n]) continue;
      const [from, to] = [n * vocabulary, (n + 1) * vocabulary];
      close(logits.subarray(from, to), wanted.subarray(from, to), 1e-4, `logits of token ${n}`);
    }
    forward.dispose();
    await Promise.all([adapted.dispose(), given.close()]);
  }

  test.before(() => useBackend("wasm"));

  for (const [name, { base, merge_refused }] of Object.entries(about.adapters)) {
    test(`${name}: merged weights and logits are peft's`, async () => {
      const adapter = await load(name);
      if (merge_refused) {
        const { model, family } = await openModel(fixture(`models/${base}`));
        const error = await rejects(Promise.resolve().then(() => placeAdapter(adapter, model.spec, family)));
        assert.match(error.message, /gets a bias \(lora_bias\)/);
        return;
      }
      const expected = await openTensors(join(root, name, "expected.safetensors"));
      await mergedEqual(base, [adapter], expected);
      await expected.close();
    });
  }

  test("a configuration of an early peft means the same", async () => {
    const expected = await openTensors(join(root, "qv_r4", "expected.safetensors"));
    await mergedEqual("llama", [await load("old_config")], expected);
    await expected.close();
  });

  for (const [name, { adapters }] of Object.entries(about.active_together)) {
    test(`${name}: several at once are peft's`, async () => {
      const expected = await openTensors(join(root, "combinations", "together.safetensors"));
      await mergedEqual("llama", await Promise.all(adapters.map(load)), expected, `active.${name}.merged.`);
      await expected.close();
    });
  }

  for (const name of Object.keys(about.to_refuse ?? {})) {
    test(`${name} is refused`, async () => {
      const { model, family } = await openModel(fixture("models/llama"));
      const error = await rejects(load(join("to_refuse", name)).then((one) => placeAdapter(one, model.spec, family)));
      assert.match(error.message, /^(adapt|load): .*; accepted (is|are) /);
      await model.dispose();
    });
  }

  for (const [name, { call, refused, masks }] of Object.entries(about.combinations)) {
    test(`${name}: the combination is peft's`, async () => {
      const adapters = await Promise.all(call.adapters.map(load));
      const file = join(root, "combinations", `${name}.safetensors`);
      const expected = existsSync(file) ? await openTensors(file) : undefined;
      const drawn: Masks = (at, path, part, length) => {
        const own = masks!.filter(([, module]) => module === path).map(([mask]) => mask);
        const index = own[part === "b" ? adapters.length + at : at];
        return drawnMasks.get(index) ?? new Uint8Array(length);
      };
      const drawnMasks = new Map<number, Float32Array>();
      for (const [index] of masks ?? []) drawnMasks.set(index, await expected!.values(`mask.${index}`));
      const make = () =>
        combineAdapters(adapters, { weights: call.weights, by: call.combination_type,
          ...(call.density !== undefined && { density: call.density }),
          ...(call.majority_sign_method && { sign: call.majority_sign_method }),
          ...(call.svd_rank !== undefined && { rank: call.svd_rank }) }, masks && drawn);
      // what peft combines wrongly or loses is refused here
      if (refused || /dora|modules_to_save/.test(name)) {
        assert.is((await rejects(Promise.resolve().then(make))).code, "bad-adapters");
        return;
      }
      const combined = make();
      for (const [path, module] of combined.modules) {
        const [a, b] = [await expected!.values(`A.${path}`), await expected!.values(`B.${path}`)];
        if (!call.combination_type.includes("svd")) {
          close(module.a.data, a, 1e-6, `A of ${path}`);
          close(module.b.data, b, 1e-6, `B of ${path}`);
        }
        const rank = a.length / module.a.columns;
        const wanted = productOf({ a: { rows: rank, columns: module.a.columns, data: a },
          b: { rows: module.b.rows, columns: rank, data: b }, rank, scale: 1 });
        close(productOf(module).values, wanted.values, 3e-6, `B A of ${path}`);
        assert.is(module.scale, 1);
      }
      // peft keeps the first adapter's rsLoRA: its own result is sqrt(r) times the sum
      if (!name.includes("rslora_first")) await mergedEqual("llama", [combined], expected!);
      await expected!.close();
    });
  }

  test("an adapter that is written is read as the same; the chain saves the merged model", async () => {
    const folder = mkdtempSync(join(tmpdir(), "moelab-adapters-"));
    try {
      for (const name of ["qv_r4", "patterns_rslora", "embed_head", "token_indices", "modules_to_save",
        "all_linear_r3_dora", "mixtral_experts_fused"]) {
        const adapter = await load(name), copy = join(folder, name);
        await saveAdapter(adapter, copy);
        const again = await readAdapter(copy);
        assert.equal([...again.modules.keys()].sort(), [...adapter.modules.keys()].sort());
        const expected = await openTensors(join(root, name, "expected.safetensors"));
        await mergedEqual(about.adapters[name].base, [again], expected);
        await expected.close();
        assert.is((await rejects(saveAdapter(adapter, copy))).code, "folder-exists");
      }
      const study = await moe.load(fixture("models/mixtral")).adapt(join(root, "mixtral_experts_fused"));
      await moe.from(study).save(join(folder, "merged"));
      const reopened = await moe.load(join(folder, "merged"));
      const ids = [[5, 9, 2, 17]];
      const [before, after] = [await study.model.forward({ ids }), await reopened.model.forward({ ids })];
      close(await after.logits.data(), await before.logits.data(), 0, "logits");
      const base = await study.original.forward({ ids });
      assert.not.equal(Array.from(await base.logits.data()), Array.from(await before.logits.data()));
      assert.is.not(await study.model.weights.fingerprint(), await study.original.weights.fingerprint());
      const error = await rejects(
        Promise.resolve(moe.from(study).adapt(join(root, "mixtral_attn")).then(() => undefined)),
      );
      assert.is(error.code, "wrong-order");
      for (const forward of [before, after, base]) forward.dispose();
      for (const model of [study.model, study.original, reopened.model]) await model.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("an expression that never ends is stopped, and a wrong one is named", async () => {
    const folder = mkdtempSync(join(tmpdir(), "moelab-adapters-"));
    try {
      await cp(join(root, "qv_r4"), folder, { recursive: true });
      const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
      for (const target of ["(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*x", "(", "(?P<a>q_proj)"]) {
        await writeFile(join(folder, "adapter_config.json"), JSON.stringify({ ...config, target_modules: target }));
        assert.match((await rejects(readAdapter(folder))).message, /the expression .* cannot be used|do not name it/);
      }
      for (const wrong of [{ r: -1 }, { r: 2.5 }, { lora_alpha: 0 }, { lora_alpha: "8" }, { rank_pattern: [1] }, {
        alpha_pattern: { q_proj: NaN },
      }, { target_modules: 3 }, { layers_to_transform: ["0"] }, { bias: "all" }, { init_lora_weights: "pissa" }, {
        exclude_modules: [7],
      }]) {
        await writeFile(join(folder, "adapter_config.json"), JSON.stringify({ ...config, ...wrong }));
        assert.is((await rejects(readAdapter(folder))).code, "bad-adapter", JSON.stringify(wrong));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("what cannot be combined is named", async () => {
    const [a, b] = await Promise.all(["qv_r4", "qv_r4_b"].map(load));
    const wrong: [Adapter[], object, RegExp][] = [[[], {}, /no adapter/], [[a, b], { weights: [1] }, /for 2 adapters/],
      [[a, b], { weights: [1, NaN] }, /finite/], [[a], { by: "tie" }, /Did you mean "ties"/], [[a, b], { by: "ties" },
      /density is undefined/], [[a], { density: 0.5 }, /density is 0.5 for "cat"/], [[a], { by: "ties", density: 0 },
      /density is 0/], [[a], { by: "svd", rank: 0 }, /rank is 0/], [[a], { by: "cat", rank: 4 },
      /rank is 4 for "cat"/]];
    for (const [adapters, options, message] of wrong) {
      const error = await rejects(Promise.resolve().then(() => combineAdapters(adapters, options)));
      assert.match(error.message, message);
    }
    assert.equal((await readdir(join(root, "qv_r4"))).sort(), ["adapter_config.json", "adapter_model.safetensors",
      "expected.safetensors"]);
  });
}

test.run();

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import { ready } from "../../sdk/tensor/index.js";
import { fixture } from "../support/shared.js";

const test = suite("bytes that are read");
await ready();

// one tensor per matrix, gate and up in one, all experts in one, rows that take turns, matrices stored the other way
// round
const families = ["olmoe_bf16", "switch_transformers", "granitemoe", "gpt_oss", "llama4_text", "dbrx", "jetmoe"];

for (const name of families) {
  test(`${name}: profiled, merged and written, each byte of expert weight is read twice`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "moelab-read-"));
    try {
      const study = await load(fixture(`models/${name}`), { memory: 0 });
      const { spec, weights } = study.model;
      await weights.fingerprint(); // reads samples of every tensor
      const { store } = study.state.opened as { store: { readBytes: ReadonlyMap<string, number> } };
      const before = new Map(store.readBytes);
      const ids = Array.from({ length: 4 }, (_, row) =>
        Array.from({ length: 12 }, (_, at) => 3 + ((row * 31 + at * 17) % 60)));
      const data = [0, 1].map((half) => ids.slice(2 * half, 2 * half + 2)).map((rows) => ({ ids: rows, labels: rows,
        ...(spec.encoder && { decoderIds: rows.map((row) => [0, ...row.slice(1)]) }) })
      );
      const profiled = await from(study).profile({ data });
      const files = await openTensors(fixture(`models/${name}`));
      const merged = new Set(moeLayers(spec).map(({ id }) => id));
      const experts = [...files.names()].filter((tensor) =>
        /expert|input_linear|output_linear/.test(tensor) && !/gate\.weight|self_attn/.test(tensor)
      );
      const times = () =>
        new Map(
          experts.map(
            (tensor) => [tensor,
              ((store.readBytes.get(tensor) ?? 0) - (before.get(tensor) ?? 0)) / files.info(tensor).sizeBytes]
          ),
        );
      assert.ok(experts.length >= merged.size);
      for (const [tensor, read] of times()) assert.is(read, 1, `${tensor} in the profile`);
      const made = await from(profiled).merge({ method: "m-smoe", keep: 0.5, exclude: [] });
      await from(made).save(join(folder, "out"));
      for (const [tensor, read] of times()) assert.is(read, 2, tensor);
      await files.close();
      await study.model.dispose();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

for (const name of families) {
  test(`${name}: before and after are evaluated on any number of batches from one reading each`, async () => {
    const study = await load(fixture(`models/${name}`), { memory: 0 });
    const { spec } = study.model;
    const ids = Array.from({ length: 6 }, (_, row) =>
      Array.from({ length: 9 }, (_, at) => 3 + ((row * 31 + at * 17) % 60)));
    const data = ids.map((row) => ({ ids: [row], labels: [row],
      ...(spec.encoder && { decoderIds: [[0, ...row.slice(1)]] }) })
    );
    const merged = await from(study).profile({ data }).merge({ method: "m-smoe", keep: 0.5, exclude: [] });
    await merged.model.weights.fingerprint();
    const { store } = study.state.opened as {
      store: { readBytes: ReadonlyMap<string, number>; info(name: string): { sizeBytes: number } };
    };
    const before = new Map(store.readBytes);
    const { evaluation } = await from(merged).evaluate({ data });
    assert.is(evaluation!.after.scores[0].metrics.nll.n, 6);
    const experts = moeLayers(spec).length > 0
      ? [...before.keys()].filter((tensor) =>
        /expert|input_linear|output_linear/.test(tensor) && !/gate\.weight|self_attn/.test(tensor)
      )
      : [];
    assert.ok(experts.length > 0);
    for (const tensor of experts)
      assert.is(((store.readBytes.get(tensor) ?? 0) - before.get(tensor)!) / store.info(tensor).sizeBytes, 2, tensor);
    await merged.model.dispose();
    await study.model.dispose();
  });
}

for (const name of families) {
  test(`${name}: loading one expert reads that expert`, async () => {
    const { model, store } = await openModel(fixture(`models/${name}`));
    const { id, ffn } = moeLayers(model.spec).at(-1)!;
    const parts = [...model.weights.names()].filter((weight) =>
      weight.startsWith(`${id}.experts.${ffn.slots.length - 2}.`)
    );
    assert.ok(parts.length >= 2);
    for (const part of parts) await model.weights.values(part);
    const read = [...store.readBytes!.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
    assert.is(read, parts.reduce((sum, part) => sum + model.weights.info(part).sizeBytes, 0));
    await model.dispose();
  });
}

test.run();

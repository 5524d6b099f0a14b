import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type OpenedModel, openModel } from "../../sdk/checkpoint/open-model.js";
import { readConfig } from "../../sdk/checkpoint/read-config.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { reference, tensorClose } from "./reference.js";
import { fixture } from "./shared.js";

export interface Stored {
  name: string;
  shape: number[];
  values: Float32Array;
}

/** All tensors of a folder as numbers. */
export async function storedTensors(folder: string): Promise<Stored[]> {
  const store = await openTensors(folder);
  const all: Stored[] = [];
  for (const name of store.names()) all.push({ name, shape: store.info(name).shape, values: await store.values(name) });
  await store.close();
  return all;
}

/** Runs with a folder of these tensors and this config.json, which is removed afterwards. */
export async function withFolder<T>(
  tensors: Stored[],
  config: string,
  run: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "moelab-altered-"));
  try {
    async function* data() {
      for (const { name, values } of tensors)
        yield { name, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
    }
    await writeTensors(join(folder, "model.safetensors"),
      tensors.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })), data());
    await writeFile(join(folder, "config.json"), config);
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A fixture with other tensors and another configuration, opened. */
export async function withAltered<T>(
  name: string,
  change: (tensors: Stored[]) => Stored[],
  run: (opened: OpenedModel) => Promise<T>,
  reconfigure: (config: object) => object = (config) => config,
): Promise<T> {
  const config = await readConfig(fixture(`models/${name}`));
  return withFolder(change(await storedTensors(fixture(`models/${name}`))), JSON.stringify(reconfigure(config)),
    async (folder) => {
      const opened = await openModel(folder);
      try {
        return await run(opened);
      } finally {
        await opened.model.dispose();
      }
    });
}

/** The logits of a model are those that transformers gives for the fixture. */
export async function logitsAsIn(name: string, { model }: Pick<OpenedModel, "model">): Promise<void> {
  const expected = await reference(fixture(`models/${name}`));
  const optional = async (tensor: string) => (expected.has(tensor) ? expected.rows(tensor) : undefined);
  const forward = await model.forward({ ids: await expected.rows("single.input_ids"),
    decoderIds: await optional("single.decoder_input_ids"), tokenTypes: await optional("single.token_type_ids") });
  await tensorClose(forward.logits, await expected.values("single.logits"), `${name} logits`);
  forward.dispose();
  await expected.close();
}

/** The logits of a model are those of `expected.json` in a folder of test/fixtures/reports. */
export async function logitsAsReported(name: string, { model }: Pick<OpenedModel, "model">): Promise<void> {
  const { ids, decoder_ids: decoderIds, logits } = JSON.parse(
    await readFile(fixture(`reports/${name}/expected.json`), "utf8"),
  ) as { ids: number[][]; decoder_ids?: number[][]; logits: number[][][] };
  const forward = await model.forward({ ids, decoderIds });
  assert.equal(forward.logits.shape, [logits.length, logits[0].length, logits[0][0].length]);
  await tensorClose(forward.logits, Float32Array.from(logits.flat(2)), `${name} logits`);
  forward.dispose();
}

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { type TensorToWrite, writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { oracle, rowOf } from "./oracle.js";
import { fixture, shared } from "./shared.js";

type Parts = [part: string, name: string][];

/** Where an oracle's router and experts lie in its model's checkpoint. */
const layouts: Record<string,
  { block: (layer: string) => string; router: Parts; expert: (index: number) => string; matrices: Parts }> = {
    switch: { block: (layer) => layer, router: [["router", "router.classifier"]], expert: (e) => `experts.expert_${e}`,
      matrices: [["wi", "wi"], ["wo", "wo"]] },
    mixtral: {
      block: (layer) => (layer.startsWith("model.") ? layer : `model.${layer}.block_sparse_moe`),
      router: [["gate", "gate"], ["router", "gate"]],
      expert: (e) => `experts.${e}`,
      matrices: [["w1", "w1"], ["w2", "w2"], ["w3", "w3"], ["gate", "w1"], ["down", "w2"], ["up", "w3"]],
    },
    qwen3moe: { block: (layer) => `model.${layer}.mlp`, router: [["router", "gate"]], expert: (e) => `experts.${e}`,
      matrices: [["gate", "gate_proj"], ["up", "up_proj"], ["down", "down_proj"]] },
  };

/**
 * The whole model that an oracle was made with, as a checkpoint: its experts and routers, and the rest of it from
 * `fixtures/oracle-models`, or from a folder of that name among other oracles. Undefined where one is not there.
 */
export async function officialModel(folder: string, name: string) {
  const found = await oracle(folder, name);
  if (!found) return undefined;
  const own = process.env.MOELAB_ORACLES && shared(`fixtures/oracles/oracle-models/${folder}-${name}`);
  const made = JSON.parse(readFileSync(fixture("oracle-models/params.json"), "utf8"))[`${folder}-${name}`];
  if (!own && JSON.stringify(made) !== JSON.stringify(found.json.params)) {
    console.log(
      `skip: the rest of the model of ${folder}/${name} is for other parameters; ` + "oracle-models/make.py makes it",
    );
    return undefined;
  }
  const rest = own || fixture(`oracle-models/${folder}-${name}`);
  const store = await openTensors(join(rest, "rest.safetensors"));
  const tensors: (TensorToWrite & { bytes: Uint8Array })[] = [];
  for (const tensor of store.names())
    tensors.push({ name: tensor, ...store.info(tensor), bytes: await store.bytes(tensor) });
  await store.close();
  const add = (name: string, { shape, values }: { shape: number[]; values: Float32Array }) =>
    void tensors.push({ name: `${name}.weight`, dtype: "F32", shape, bytes: new Uint8Array(values.slice().buffer) });
  const { block, router, expert, matrices } = layouts[name];
  const layers: string[] = found.json.moe_layers
    ?? Array.from({ length: found.json.params.layers }, (_, layer) => `layers.${layer}`);
  for (const layer of layers) {
    for (const [part, at] of router)
      if (found.tensors.get(`${layer}.${part}`)?.shape.length === 2)
        add(`${block(layer)}.${at}`, found.tensors.get(`${layer}.${part}`)!);
    for (const [part, at] of matrices) {
      const stack = found.tensors.get(`${layer}.${part}`);
      if (stack?.shape.length === 3) {
        for (let e = 0; e < stack.shape[0]; e++) add(`${block(layer)}.${expert(e)}.${at}`, rowOf(stack, e));
      }
    }
  }
  const path = mkdtempSync(join(tmpdir(), `moelab-${folder}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  copyFileSync(join(rest, "config.json"), join(path, "config.json"));
  await writeTensors(join(path, "model.safetensors"), tensors, tensors);
  return { ...found, path };
}

import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Numbers of a made-up Qwen3-MoE checkpoint whose headers hold half a million tensors; every matrix is tiny. */
export const HALF_A_MILLION = { layers: 130, experts: 1280, width: 8, expertWidth: 4, vocab: 32 };

/**
 * Writes config.json, index and shards of a Qwen3-MoE checkpoint in bfloat16 as transformers writes them. The data are
 * holes, which take no space on the disk.
 */
export async function writeManyTensors(
  folder: string,
  { layers, experts, width, expertWidth, vocab }: typeof HALF_A_MILLION,
  shards = 64,
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const tensors: [name: string, shape: number[]][] = [["lm_head.weight", [vocab, width]], ["model.embed_tokens.weight",
    [vocab, width]]];
  for (let l = 0; l < layers; l++) {
    const path = `model.layers.${l}`;
    tensors.push([`${path}.input_layernorm.weight`, [width]]);
    for (let e = 0; e < experts; e++)
      for (const part of ["down", "gate", "up"])
        tensors.push([`${path}.mlp.experts.${e}.${part}_proj.weight`,
          part === "down" ? [width, expertWidth] : [expertWidth, width]]);
    tensors.push([`${path}.mlp.gate.weight`, [experts, width]], [`${path}.post_attention_layernorm.weight`, [width]]);
    for (const part of ["k", "q"]) tensors.push([`${path}.self_attn.${part}_norm.weight`, [width]]);
    for (const part of ["k", "o", "q", "v"]) tensors.push([`${path}.self_attn.${part}_proj.weight`, [width, width]]);
  }
  tensors.push(["model.norm.weight", [width]]);
  const map: string[] = [];
  let total = 0;
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${String(shard + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`;
    const entries: string[] = ["\"__metadata__\":{\"format\":\"pt\"}"];
    let start = 0;
    for (const [name, shape] of tensors.slice(Math.floor((shard * tensors.length) / shards),
      Math.floor(((shard + 1) * tensors.length) / shards))) {
      const end = start + 2 * shape.reduce((product, n) => product * n, 1);
      entries.push(`"${name}":{"dtype":"BF16","shape":[${shape}],"data_offsets":[${start},${end}]}`);
      map.push(`    "${name}": "${file}"`);
      start = end;
    }
    const json = Buffer.from(`{${entries.join(",")}}`);
    const header = Buffer.concat([Buffer.alloc(8), json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
    header.writeBigUInt64LE(BigInt(header.length - 8));
    const handle = await open(join(folder, file), "w");
    await handle.write(header);
    await handle.truncate(header.length + start);
    await handle.close();
    total += start;
  }
  await writeFile(join(folder, "model.safetensors.index.json"),
    `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${map.join(",\n")}\n  }\n}\n`);
  await writeFile(join(folder, "config.json"), JSON.stringify({
    architectures: ["Qwen3MoeForCausalLM"],
    model_type: "qwen3_moe",
    vocab_size: vocab,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    head_dim: width,
    intermediate_size: 4 * width,
    moe_intermediate_size: expertWidth,
    num_experts: experts,
    num_experts_per_tok: 8,
    norm_topk_prob: true,
    torch_dtype: "bfloat16",
  }));
  return tensors.length;
}

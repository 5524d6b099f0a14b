import { createCipheriv, createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diskTensors } from "../../../sdk/checkpoint/disk-tensors.js";
import { familyOf, specFromConfig } from "../../../sdk/checkpoint/family.js";
import { ShardedWriter } from "../../../sdk/checkpoint/write-sharded.js";

/** The shape of OLMoE-1B-7B: 6.9 billion parameters in 16 layers of 64 experts, 8 a token. */
export const olmoe = {
  architectures: ["OlmoeForCausalLM"],
  model_type: "olmoe",
  attention_bias: false,
  attention_dropout: 0,
  clip_qkv: null,
  eos_token_id: 50279,
  pad_token_id: 1,
  hidden_act: "silu",
  hidden_size: 2048,
  intermediate_size: 1024,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  num_experts: 64,
  num_experts_per_tok: 8,
  norm_topk_prob: false,
  num_hidden_layers: 16,
  vocab_size: 50304,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  router_aux_loss_coef: 0.01,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
};

const PIECE_BYTES = 32 << 20;

/**
 * Writes a checkpoint of that shape whose every bit of sign and mantissa is drawn: bfloat16 of 1/128 to 1/32, both
 * signs.
 * The bits are the key stream of AES from a seed, gigabytes a second, so the same seed gives the same checkpoint.
 *
 * @returns bytes of weights
 */
export async function generateCheckpoint(folder: string, layers: number, seed = "out of core"): Promise<number> {
  const config = { ...olmoe, num_hidden_layers: layers };
  mkdirSync(folder, { recursive: true });
  const family = familyOf(config);
  const tensors = diskTensors(await specFromConfig(config, family), family, () => "BF16");
  const stream = createCipheriv("aes-128-ctr", createHash("sha256").update(seed).digest().subarray(0, 16),
    Buffer.alloc(16));
  const writer = new ShardedWriter(folder, tensors, { maxShardBytes: 5e9 });
  const zeros = new Uint8Array(PIECE_BYTES);
  let totalBytes = 0;
  for (const { name, shape } of tensors) {
    const sizeBytes = 2 * shape.reduce((product, length) => product * length, 1);
    for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
      const bytes = stream.update(zeros.subarray(0, Math.min(PIECE_BYTES, sizeBytes - at)));
      await writer.write({ name, bytes: /norm/.test(name) ? ones(bytes.length) : plausible(bytes), at });
    }
    totalBytes += sizeBytes;
  }
  await writer.finish();
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  return totalBytes;
}

/** Keeps sign, mantissa and the lowest bit of the exponent, which becomes -7 or -6. */
function plausible(bytes: Uint8Array): Uint8Array {
  const pairs = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < pairs.length; i++) pairs[i] = (pairs[i] & 0x80ff80ff) | 0x3c003c00;
  return bytes;
}

function ones(length: number): Uint8Array {
  return new Uint8Array(new Uint16Array(length / 2).fill(0x3f80).buffer);
}

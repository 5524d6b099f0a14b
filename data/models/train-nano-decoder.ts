// Trains nano-decoder on real text of five domains: a decoder of Mixtral's family, balance loss over the mixture, and
// beside it
// a dense model of the same active size. Resumes where it was cut off (state in out/train-nano-decoder/).
//
//   node --import tsx data/models/train-nano-decoder.ts                  the bundled model (seed 1)
//   node --import tsx data/models/train-nano-decoder.ts --seed 2         another, to out/train-nano-decoder/
//   node --import tsx data/models/train-nano-decoder.ts --kind dense     the dense one, to the same place
//   node --import tsx data/models/train-nano-decoder.ts --steps 20       a trial
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { scoreTask } from "../../sdk/evaluate/task-score.js";
import { type TrainingBatch } from "../../sdk/model/batch.js";
import { initialize } from "../../sdk/model/initialize.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { packageFile } from "../../sdk/package-file.js";
import { engineInfo, ready, Rng } from "../../sdk/tensor/index.js";
import type { Part } from "../../sdk/text/tasks/task.js";
import { type Domain, DOMAINS, domainTexts } from "../../sdk/text/tasks/zero-shot/domain-texts.js";
import { loadTokenizer } from "../../sdk/text/tokenizer.js";
import { train } from "../../sdk/train/train.js";

const { values: args } = parseArgs({ allowPositionals: true,
  options: { seed: { type: "string", default: "1" }, kind: { type: "string", default: "moe" },
    steps: { type: "string" } } });
const { kind, steps: trialSteps } = args;
const trial = trialSteps !== undefined;
const name = `nano-decoder${kind === "moe" ? "" : `-${kind}`}`;
const work = packageFile("out/train-nano-decoder");
const bundled = packageFile("data/models/nano-decoder");
const home = kind === "moe" && args.seed === "1" && !trial
  ? bundled
  : `${work}/${name}-seed-${args.seed}${trial ? "-trial" : ""}`;

/**
 * Three layers; 16 experts, top-2, gates of the two made to sum to 1. The dense model has one expert of twice the
 * width.
 */
const shape = { vocab_size: 1024, hidden_size: 96, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 4,
  max_position_embeddings: 256, hidden_act: "silu", rms_norm_eps: 1e-5, rope_theta: 10_000, tie_word_embeddings: false,
  bos_token_id: 0, eos_token_id: 0 };
const configs: Record<string, Record<string, unknown>> = {
  moe: { model_type: "mixtral", architectures: ["MixtralForCausalLM"], ...shape, intermediate_size: 96,
    num_local_experts: 16, num_experts_per_tok: 2, router_aux_loss_coef: 0.01, sliding_window: null },
  dense: { model_type: "llama", architectures: ["LlamaForCausalLM"], ...shape, intermediate_size: 192 },
};

/** Rows of each domain in a step, each `window` tokens from anywhere in the domain's texts. */
const mixture: Record<Domain, number> = { speech: 7, novel: 4, dictionary: 7, code: 5, pronunciation: 9 };
const window = 64;
/** What is read of each domain: some epochs of it are seen. */
const characters = 1_200_000;
const recipe = { steps: Number(trialSteps ?? 1500), lr: 2.5e-3, warmup: 100, clip: 1,
  balance: kind === "moe" ? 0.01 : 0, decay: 0.05, beta2: 0.95 };

await ready();
const tokenizer = await loadTokenizer(bundled);
const config = configs[kind];
const spec = await specFromConfig(config);
if (!existsSync(`${home}/model.safetensors`)) await pretrain();

async function pretrain(): Promise<void> {
  const streams = new Map(DOMAINS.map((domain) => [domain, stream(domain, "train")]));
  const trainable = await Trainable.from(spec, initialize(spec, new Rng(`${name} weights ${args.seed}`)));
  let [shown, sum, count] = [performance.now(), 0, 0];
  const { losses, timeMs } = await train(trainable, {
    ...recipe,
    batch: (step) => {
      const rng = new Rng(`nano-decoder batch ${args.seed} ${step}`);
      return batchOf(
        DOMAINS.flatMap((domain) =>
          Array.from({ length: mixture[domain] }, () =>
            cutWindow(streams.get(domain)!, rng.int(streams.get(domain)!.length - window - 1)))
        ),
      );
    },
    state: { folder: `${work}/${name}-seed-${args.seed}${trial ? "-trial" : ""}-state`, every: 100,
      key: [name, args.seed, mixture, window, characters] },
    onStep: ({ step, steps, loss, tokens }) => {
      [sum, count] = [sum + loss, count + 1];
      if (step % 50 && step !== steps) return;
      console.log(
        `${name} ${args.seed} step ${step}/${steps}  loss ${(sum / count).toFixed(4)}  `
          + `${Math.round((1000 * tokens * count) / (performance.now() - shown))} tokens/s, `
          + `${Math.round(process.cpuUsage().user / 1e6)} s of processor time`,
      );
      [shown, sum, count] = [performance.now(), 0, 0];
    },
  });
  const weights = await trainable.snapshot();
  trainable.dispose();
  await finish(weights, losses, timeMs);
}

/** Saves in float16, opens what was saved, scores it on texts that were held out, and writes the record. */
async function finish(
  weights: Awaited<ReturnType<Trainable["snapshot"]>>,
  losses: number[],
  timeMs: number,
): Promise<void> {
  const folder = `${home}-part`;
  await saveModel(folder, { spec, weights }, { config, dtype: "F16", filesFrom: bundled,
    provenance: { trainedBy: "data/models/train-nano-decoder.ts", recipe }, overwrite: true });
  const { model } = await openModel(folder, { id: name });
  const evaluation = [];
  for (const domain of DOMAINS) {
    const tokens = stream(domain, "dev");
    const starts = Array.from({ length: 48 }, (_, i) => Math.floor((i * (tokens.length - window - 1)) / 48));
    const groups = [starts.slice(0, 24), starts.slice(24)].map((part) =>
      batchOf(part.map((start) => cutWindow(tokens, start)))
    );
    const { nll } = await scoreTask(model, groups);
    const usage: Record<string, number[]> = Object.fromEntries(
      moeLayers(spec).map(({ id, ffn }) => [id, new Array<number>(ffn.experts).fill(0)]),
    );
    await model.sweep(groups, { sites: ["moe"], onSite: async (seen) => {
      if (seen.site !== "moe") return;
      for (const expert of await seen.choice.data()) usage[seen.layer][expert]++;
    } });
    evaluation.push({ domain, windows: 48, nll: round(nll.value), stderr: round(nll.stderr), usage });
  }
  await model.dispose();
  console.table(evaluation.map(({ usage: _, ...row }) => row));
  const curve = losses.flatMap((loss, i) => ((i + 1) % 25 === 0 || i === 0 ? [[i + 1, round(loss)]] : []));
  const record = { seed: Number(args.seed), engine: engineInfo(), machine: `${cpus().length} x ${cpus()[0].model}`,
    node: process.version, date: new Date().toISOString().slice(0, 10) };
  writeFileSync(`${folder}/training.json`,
    `${
      JSON.stringify({ ...record, recipe: { ...recipe, window, domains: mixture },
        durationSeconds: Math.round(timeMs / 1000), evaluation, lossCurve: curve })
    }\n`);
  mkdirSync(home, { recursive: true });
  for (const file of ["config.json", "model.safetensors", "moelab.json", "tokenizer.json", "tokenizer_config.json",
    "training.json"]) renameSync(`${folder}/${file}`, `${home}/${file}`);
  rmSync(folder, { recursive: true });
}

/** The texts of a part in a row, the end symbol before each, up to so many characters; encoded once and kept. */
function stream(domain: Domain, part: Part): Uint16Array {
  const file = `${work}/${domain}-${part}.tokens`;
  if (!existsSync(file)) {
    const ids: number[] = [];
    let left = characters;
    for (const { text } of domainTexts(domain)[part]) {
      if (left <= 0) break;
      ids.push(...tokenizer.encode(text.slice(0, left)));
      left -= text.length;
    }
    mkdirSync(work, { recursive: true });
    writeFileSync(file, Uint16Array.from(ids));
  }
  const bytes = readFileSync(file);
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
}

function cutWindow(tokens: Uint16Array, start: number): number[] {
  return Array.from(tokens.subarray(start, start + window + 1));
}

function batchOf(rows: number[][]): TrainingBatch {
  return { ids: rows.map((row) => row.slice(0, -1)), labels: rows.map((row) => row.slice(1)) };
}

function round(value: number): number {
  return Number(value.toFixed(4));
}

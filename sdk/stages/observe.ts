import type { Tensor } from "@tensorflow/tfjs-core";
import type { Rows } from "../model/batch.js";
import { singleExpert } from "../model/expert/moe-block.js";
import type { Model } from "../model/model.js";
import type { MoeRecord } from "../model/pass.js";
import { isFree } from "../model/spec.js";
import type { SweepOptions } from "../model/sweep.js";
import type { MoeEvent, Observer, Site, SiteEvent } from "../profile/observer.js";
import { tokensByExpert } from "../profile/observers/tokens-by-expert.js";
import { tf } from "../tensor/index.js";
import { progress } from "../view/progress.js";
import type { Calibration } from "./study-state.js";

/** Shows every event of a sweep over the calibration data to the observers that look there: real tokens only. */
export async function observe(
  model: Model,
  { batches }: Calibration,
  observers: readonly Observer[],
  signal?: AbortSignal,
  options: Pick<SweepOptions, "state" | "onLayer"> = {},
): Promise<void> {
  const at = (site: Site) => observers.filter(({ at = ["moe"] }) => at.includes(site));
  const sites = (["moe", "stream", "input", "attention"] as const).filter((site) => at(site).length > 0);
  const inputs = sites.includes("input"); // those of experts follow from what the router did
  const running = observers.flatMap(({ runsExperts }) => runsExperts ?? []);
  const show = async (event: SiteEvent) => {
    for (const observer of at(event.site)) await observer.see(event);
  };
  let bar: ReturnType<typeof progress> | undefined;
  try {
    await model.sweep(batches, {
      ...options,
      signal,
      sites: inputs ? [...new Set([...sites, "moe" as const])] : sites,
      experts: running.includes("all") || ((inputs || running.length > 0) && "loaded"),
      async onSite(record, { batch, rows, memory }) {
        const owned: Tensor[] = [];
        const real = <T extends Tensor>(tensor: T, of = rows): T => {
          owned.push(onlyReal(tensor, of));
          return owned.at(-1) as T;
        };
        try {
          if (record.site === "attention") await show({ ...record, batch, received: real(record.received) });
          if (record.site === "stream") await show({ ...record, batch, x: real(record.x) });
          if (record.site === "input") {
            // keys and values of cross-attention come from the encoder's tokens
            const of = /^cross\.[kv]$/.test(record.weight) && memory ? memory : rows;
            await show({ ...record, weight: `${record.layer}.${record.weight}`, x: real(record.x, of) });
          }
          if (record.site !== "moe") return;
          const event = eventOf(record, real, inputs || running.length > 0);
          await show(event);
          if (inputs) await showExpertInputs(event, show);
        } finally {
          tf.dispose(owned);
        }
      },
      onProgress: (_, total) =>
        (bar ??= progress({ label: `profile ${model.id}`, total, unit: "layers", signal })).advance(),
    });
    bar?.done();
  } catch (error) {
    bar?.fail(error);
    throw error;
  }
}

function onlyReal<T extends Tensor>(tensor: T, { real }: Rows): T {
  if (!real) return tf.clone(tensor) as T;
  const keep = Int32Array.from(real.keys()).filter((row) => real[row] === 1);
  return tf.tidy(() => tf.gather(tensor, tf.tensor1d(keep, "int32"))) as T;
}

function eventOf(record: MoeRecord, real: <T extends Tensor>(tensor: T) => T, runsExperts: boolean): MoeEvent {
  const { layer, spec, weights, experts } = record;
  return {
    site: "moe",
    layer,
    spec,
    input: real(record.input),
    logits: real(record.logits),
    choice: real(record.choice),
    gates: real(record.gates),
    output: real(record.output),
    load: experts && ((slots) => experts.load(slots)),
    expert(slot) {
      if (!runsExperts)
        throw new Error(`an observer that runs experts of ${layer} has to say so: { runsExperts: "all" }`);
      return experts ? experts.expert(slot) : singleExpert(slot, spec, weights);
    },
  };
}

/** What the matrices of each expert multiply: the rows of its tokens, and its hidden vectors on them. */
async function showExpertInputs(event: MoeEvent, show: (event: SiteEvent) => Promise<void>): Promise<void> {
  const { layer, spec, input, gates, load, expert: run } = event;
  const K = gates.shape[1];
  for (const { expert, rows, choices } of await tokensByExpert(event)) {
    const slot = spec.expertOf[expert];
    if (slot < 0 || isFree(spec.slots[slot])) continue;
    await load?.([slot]);
    const [x, own, hidden] = tf.tidy(() => {
      const x = tf.gather(input, tf.tensor1d(rows, "int32"));
      const places = Int32Array.from(rows, (row, i) => row * K + choices[i]);
      return [x, tf.gather(tf.reshape(gates, [-1]), tf.tensor1d(places, "int32")), run(slot).hidden(x)];
    });
    try {
      for (const matrix of spec.gated ? ["up", "gate", "down"] : ["up", "down"]) {
        await show({ site: "input", layer, weight: `${layer}.experts.${slot}.${matrix}`,
          x: (matrix === "down" ? hidden : x) as typeof input, gates: own });
      }
    } finally {
      tf.dispose([x, own, hidden]);
    }
  }
}

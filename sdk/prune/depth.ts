import type { Tensor2D } from "@tensorflow/tfjs-core";
import type { Changes } from "../method/changes.js";
import type { Lab } from "../method/lab.js";
import { method } from "../method/method.js";
import { seed } from "../method/usual-options.js";
import type { LayerId } from "../model/spec.js";
import type { Observer, SiteEvent } from "../profile/observer.js";
import type { StreamCosine } from "../profile/observers/stream-cosine.js";
import type { Profile } from "../profile/profile.js";
import { drawsOf } from "../tensor/draws.js";
import { tf } from "../tensor/index.js";
import { Rng } from "../tensor/rng.js";
import { droppable, droppedCount } from "./droppable.js";

/**
 * Layers that go by a score of each: what EvoPress (arXiv:2410.14649) is compared with.
 *
 * @example await load("nano-decoder").profile({ items: 32 }).prune({ method: "depth", by: "short-gpt", drop: 1 })
 */
export const depth = method({
  name: "depth",
  kind: "prune",
  about: "drops the layers that matter least, each judged alone",
  options: {
    drop: { about: "layers that go", from: 0, whole: true },
    by: {
      about: `what says how little a layer matters. "short-gpt": the cosine of the stream before and after it
        (arXiv:2403.03853); "weight-subcloning": the length of what it adds, relative to the stream after it
        (arXiv:2312.09299); "shortened-llama": how much the loss rises when it alone is gone (arXiv:2402.02834);
        "sliding-window": layers in a row, by the cosine before and after all of them (arXiv:2403.17887); "random"`,
      words: ["short-gpt", "weight-subcloning", "shortened-llama", "sliding-window", "random"],
      default: "short-gpt",
    },
    seed,
  },
  needs: ({ by, drop }) =>
    by === "short-gpt" ? ["streamCosine"] : by === "sliding-window" && drop > 0 ? [`streamWindows.${drop}`] : [],
  async plan(profile, { drop, by, seed }, lab) {
    const { units, groups } = droppable(lab.spec, "layers");
    droppedCount(drop, groups);
    const layers = units.map(({ layer }) => layer);
    const gone = drop === 0
      ? []
      : by === "sliding-window"
      ? window(profile, layers, drop)
      : least(layers, by === "random" ? drawn(layers, seed) : await scores[by](profile, layers, lab), drop);
    return { layers: Object.fromEntries(gone.map((id) => [id, { drop: ["attention", "ffn"] as const }])) } as Changes;
  },
});

type Scores = (profile: Profile, layers: readonly LayerId[], lab: Lab) => number[] | Promise<number[]>;

/** Lower goes first. */
const scores: Record<"short-gpt" | "weight-subcloning" | "shortened-llama", Scores> = {
  "short-gpt": (profile, layers) => layers.map((id) => 1 - (profile.blocks![id].streamCosine as StreamCosine).layer),
  async "weight-subcloning"(_, layers, lab) {
    const observer = relativeUpdates();
    await lab.sweep({ layers: {} }, [observer]);
    const found = observer.result();
    return layers.map((id) => found[id]);
  },
  async "shortened-llama"(_, layers, lab) {
    const all = lab.sample(undefined, drawsOf(new Rng(0)));
    const losses: number[] = [];
    for (const id of layers)
      losses.push(await lab.score({ layers: { [id]: { drop: ["attention", "ffn"] } } }, all, "nll"));
    return losses;
  },
};

function drawn(layers: readonly LayerId[], seed: number): number[] {
  const order = new Rng(`depth ${seed}`).shuffle(layers.map((_, at) => at));
  return layers.map((_, at) => order.indexOf(at));
}

function least(layers: readonly LayerId[], score: readonly number[], count: number): LayerId[] {
  return layers.map((_, at) => at).sort((a, b) => score[a] - score[b] || a - b).slice(0, count).sort((a, b) => a - b)
    .map((at) => layers[at]);
}

/** The layers in a row, of one stack, that turn the stream least. */
function window(profile: Profile, layers: readonly LayerId[], count: number): LayerId[] {
  const cosines = layers.map((id) =>
    (profile.blocks![id]?.[`streamWindows.${count}`] as number[] | undefined)?.[count - 1] ?? -Infinity
  );
  const from = cosines.indexOf(Math.max(...cosines));
  return layers.slice(from, from + count);
}

/** Mean over tokens of |what a layer adds| / |the stream after it|, by layer. */
function relativeUpdates(): Observer<number> {
  const before = new Map<number, Tensor2D>();
  const sums = new Map<LayerId, { total: number; tokens: number }>();
  return {
    name: "relativeUpdate",
    at: ["stream"],
    async see({ layer, batch, at, x }: Extract<SiteEvent, { site: "stream" }>) {
      if (at === "in") before.set(batch, tf.clone(x));
      if (at !== "out") return;
      const first = before.get(batch)!;
      before.delete(batch);
      const ratio = tf.tidy(() =>
        tf.sum(tf.div(tf.norm(tf.sub(x, first), "euclidean", 1), tf.maximum(tf.norm(x, "euclidean", 1), 1e-8)))
      );
      const sum = sums.get(layer) ?? { total: 0, tokens: 0 };
      sums.set(layer, { total: sum.total + (await ratio.data())[0], tokens: sum.tokens + x.shape[0] });
      tf.dispose([ratio, first]);
    },
    result: () => Object.fromEntries([...sums].map(([id, { total, tokens }]) => [id, total / tokens])),
  };
}

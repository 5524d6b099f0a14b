import { method } from "../method/method.js";
import type { StreamCosine } from "../profile/observers/stream-cosine.js";
import type { Profile } from "../profile/profile.js";
import { dropBlocks, mostAlike } from "./most-alike.js";

/** `drop` of methods that remove blocks. */
export const drop = {
  about: "how many go: a count, or a share below 1 of those that could",
  above: 0,
  says: "a share above 0 and below 1, or a whole number from 1",
} as const;

/**
 * Layer Drop of arXiv:2406.02500: removes the feed-forward blocks, with their norms, that turn the residual stream
 * least; in a model with experts those with experts. All are measured once, on the whole model.
 *
 * @example await planWith(layerDrop, profile, { drop: 2 })
 */
export const layerDrop = method({
  name: "layer-drop",
  paper: "arXiv:2406.02500",
  kind: "prune",
  about: "removes the expert layers that change the residual stream least",
  options: {
    drop,
    block: { about: "which block of a layer goes", words: ["ffn", "attention"], default: "ffn" },
    similarity: {
      about: `of what enters the block: "residual", and the stream after it; "alone", and what the block adds, which the
        paper finds inadequate`,
      words: ["residual", "alone"],
      default: "residual",
    },
  },
  needs: ["streamCosine"],
  plan(profile, { drop, block, similarity }) {
    const withExperts = Object.keys(profile.layers);
    const could = Object.keys(profile.blocks ?? {}).filter((id) =>
      block === "attention" || withExperts.length === 0 || withExperts.includes(id)
    );
    const score = (id: string) => {
      const cosines = blockStatistic<StreamCosine>(profile, id, "streamCosine");
      return block === "attention" ? cosines.attention : similarity === "residual" ? cosines.ffn : cosines.ffnAlone;
    };
    return dropBlocks(mostAlike(could, score, drop), block);
  },
});

/** A statistic of a layer of any kind. It is there: `needs` names it. */
export function blockStatistic<T>(profile: Profile, layer: string, name: string): T {
  return profile.blocks![layer][name] as T;
}

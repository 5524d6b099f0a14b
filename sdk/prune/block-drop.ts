import { method } from "../method/method.js";
import type { StreamCosine } from "../profile/observers/stream-cosine.js";
import { blockStatistic, drop } from "./layer-drop.js";
import { countOf, dropBlocks, mostAlike } from "./most-alike.js";

/**
 * Block Drop of arXiv:2406.02500: removes whole layers, attention and feed-forward block, that turn the residual stream
 * least. One by one, or as many in a row.
 *
 * @example await planWith(blockDrop, profile, { drop: 2, way: "consecutive" })
 */
export const blockDrop = method({
  name: "block-drop",
  paper: "arXiv:2406.02500",
  kind: "prune",
  about: "removes whole layers that change the residual stream least, one by one or in a row",
  options: {
    drop: { ...drop, whole: true, from: 1, says: "a whole number from 1" },
    way: {
      about: `"discrete": each by its own cosine; "consecutive": as many in a row, by the cosine over all of them;
        "released": a row by that of one layer more, as the released code reads it`,
      words: ["discrete", "consecutive", "released"],
      default: "discrete",
    },
  },
  needs: ({ drop, way }) => [way === "discrete" ? "streamCosine" : `streamWindows.${width(drop, way)}`],
  plan(profile, { drop, way }) {
    const could = Object.keys(profile.blocks ?? {});
    if (way === "discrete")
      return dropBlocks(mostAlike(could, (id) => blockStatistic<StreamCosine>(profile, id, "streamCosine").layer, drop),
        "layer");
    const wide = width(drop, way);
    const count = countOf(drop, could.length);
    let [best, most] = [0, -Infinity];
    could.forEach((id, index) => {
      const alike = blockStatistic<number[]>(profile, id, `streamWindows.${wide}`)[wide - 1] ?? -Infinity;
      if (alike >= most) [best, most] = [index, alike]; // of equals the deeper
    });
    return dropBlocks(could.slice(best, best + count), "layer");
  },
});

/** layers that the cosine goes over */
function width(drop: number, way: string): number {
  return way === "released" ? drop + 1 : drop;
}

const isLayers = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((id) => typeof id === "string");
const layers = { about: "layers that stay as they are", is: isLayers, says: "a list of names of layers" } as const;

/** `keep` of every method: how many experts stay; `keepPerLayer` reads it. */
export const keep = {
  about: "experts that stay in a layer: a share in (0, 1] or a count in (1, E]",
  above: 0,
  says: "a share above 0 and up to 1, or a count from 1 to the number of experts",
} as const;

/** `exclude` of methods that leave the first MoE layer of an encoder alone. */
export const excludeFirst = { ...layers, otherwise: "the first MoE layer of the encoder, if there is one" } as const;

/** `exclude` of methods that change every layer. */
export const excludeNone = { ...layers, default: [] } as const;

/** `seed` of methods that draw. */
export const seed = { about: "of what is drawn at random", whole: true, default: 0 } as const;

/** `epsilon` of methods that average by weights. */
export const epsilon = {
  about: "added to the sum of a group's weights before they are divided by it: 1e-7 in the released code",
  from: 0,
  default: 0,
} as const;

/** `combine` of methods that merge. */
export const combine = {
  about: "run a merged expert once for a token that chose two of its members: the same result for less",
  default: false,
} as const;

/** `scope` of methods that rank experts by a score. */
export const scope = {
  about: `"layer": every layer keeps the same number; "model": the scores of all layers are ranked together`,
  words: ["layer", "model"],
  default: "layer",
} as const;

import { methodNamed } from "../../sdk/methods.js";

/** Options with which a method does something to a small model; what is not named keeps its default. */
export function exampleOptions(name: string, { keep = 0.5, rank = 2 } = {}): Record<string, number> {
  const { options: takes = {}, kind } = methodNamed(name);
  return { ...(takes.rank ? { rank } : takes.keep && { keep }), ...(takes.drop && { drop: 1 }),
    ...(takes.group && { group: 0 }), ...(takes.nulls && { nulls: 1 }),
    ...(takes.topK && kind === "route" && { topK: 1 }) };
}

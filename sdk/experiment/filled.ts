import { MoeError, suggest } from "../errors.js";

/**
 * Puts values into a recipe: a string "$name" becomes the value of that name whatever it is, "$name" inside a longer
 * string its text; digits alone are a number then ("10$seed"). What is put in is filled in turn.
 *
 * @throws MoeError `unknown-name` with the nearest name
 * @example filled({ seed: "$seed", note: "of $task" }, { seed: 3, task: "pron" })  // { seed: 3, note: "of pron" }
 */
export function filled<T>(value: T, names: Readonly<Record<string, unknown>>, depth = 0): T {
  const found = (name: string): unknown => {
    if (!Object.hasOwn(names, name) || depth > 8)
      throw new MoeError("unknown-name",
        depth > 8
          ? `study: "$${name}" leads back to itself. Say what it stands for.`
          : `study: the recipe names "$${name}", which it does not define. ${suggest(name, Object.keys(names))}`);
    return filled(names[name], names, depth + 1);
  };
  if (typeof value === "string") {
    const whole = /^\$(\w+)$/.exec(value);
    if (whole) return found(whole[1]) as T;
    const text = value.replace(/\$(\w+)/g, (_, name: string) => String(found(name)));
    return (text !== value && /^\d+$/.test(text) ? Number(text) : text) as T;
  }
  if (Array.isArray(value)) return value.map((one) => filled(one, names, depth)) as T;
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, names, depth)])) as T;
  return value;
}

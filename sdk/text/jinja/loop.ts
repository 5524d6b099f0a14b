import { TemplateError } from "./budget.js";
import { Callable, equal, Loop, orElse, Tuple, Undefined, type Value } from "./values.js";

/** The variable `loop` of a for loop. @param state the place of the current item @param again what calling it does */
export function makeLoop(
  items: readonly Value[],
  state: { at: number },
  depth: number,
  again: (args: readonly Value[]) => Value,
): Loop {
  let last: Value | undefined;
  const changed = new Callable("changed", (args) => {
    const now = new Tuple(args);
    const isNew = last === undefined || !equal(last, now);
    last = now;
    return isNew;
  });
  const cycle = new Callable("cycle", (args) => {
    if (args.length === 0) throw new TemplateError("no items for cycling given");
    return args[state.at % args.length];
  });
  const members: Record<string, () => Value> = { index: () => state.at + 1, index0: () => state.at,
    revindex: () => items.length - state.at, revindex0: () => items.length - state.at - 1, first: () => state.at === 0,
    last: () => state.at === items.length - 1, length: () => items.length, depth: () => depth + 1, depth0: () => depth,
    previtem: () => orElse(items[state.at - 1], () => new Undefined("there is no previous item")),
    nextitem: () => orElse(items[state.at + 1], () => new Undefined("there is no next item")), changed: () => changed,
    cycle: () => cycle };
  return new Loop((name) => (Object.hasOwn(members, name) ? members[name]() : undefined), again);
}

import { type Call, define } from "./define.js";
import { binary, COMPARISONS } from "./operators.js";
import { str } from "./representation.js";
import { STRING_METHODS } from "./string-methods.js";
import { Callable, Dict, equal, Float, isNumber, List, Loop, Once, Range, Tuple, Undefined, type Value,
  View } from "./values.js";

const isA = (value: Value, ...kinds: (new(...given: never[]) => object)[]) =>
  kinds.some((kind) => value instanceof kind);
const cased = (name: string): Call => ([value]) => STRING_METHODS.get(name)!([str(value)], new Map());
const rest = (value: Value, by: Value) => binary("%", value, by);

/** jinja2's tests. @param known whether there is such a filter or test */
export const tests = (known: (kind: "filter" | "test", name: Value) => boolean): ReadonlyMap<string, Call> => {
  const operators = Object.entries({ eq: "==", equalto: "==", ne: "!=", gt: ">", greaterthan: ">", ge: ">=", lt: "<",
    lessthan: "<", le: "<=", in: "in" }).map(([name, operator]) =>
      define(`${name}(value, other)`, COMPARISONS[operator])
    );
  return new Map<string, Call>([...operators, define("boolean(value)", (value) => typeof value === "boolean"),
    define("callable(value)", (value) => isA(value, Callable, Loop, Undefined)),
    define("defined(value)", (value) => !(value instanceof Undefined)),
    define("divisibleby(value, num)", (value, by) => equal(rest(value, by), 0)), define("escaped(value)", () => false),
    define("even(value)", (value) => equal(rest(value, 2), 0)), define("false(value)", (value) => value === false),
    define("filter(value)", (value) => known("filter", value)),
    define("float(value)", (value) => value instanceof Float),
    define("integer(value)", (value) => typeof value === "number"),
    define("iterable(value)",
      (value) => typeof value === "string" || isA(value, List, Tuple, Dict, View, Once, Range, Undefined, Loop)), [
    "lower",
    cased("islower"),
  ], define("mapping(value)", (value) => value instanceof Dict), define("none(value)", (value) => value === null),
    define("number(value)", isNumber), define("odd(value)", (value) => equal(rest(value, 2), 1)),
    define("sameas(value, other)", (value, other) => value === other),
    define("sequence(value)", (value) => typeof value === "string" || isA(value, List, Tuple, Dict, Range, Undefined)),
    define("string(value)", (value) => typeof value === "string"),
    define("test(value)", (value) => known("test", value)), define("true(value)", (value) => value === true),
    define("undefined(value)", (value) => value instanceof Undefined), ["upper", cased("isupper")],
    ...["==", "!=", ">", ">=", "<", "<="].map((name): [string, Call] => [name, ([a, b]) => COMPARISONS[name](a, b)])]);
};

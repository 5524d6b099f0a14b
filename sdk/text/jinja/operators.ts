import { spend, spendText, TemplateError } from "./budget.js";
import { percent } from "./format.js";
import { Dict, equal, Float, isNumber, isWhole, iterate, List, number, order, refuse, Tuple, typeName, Undefined,
  type Value, View } from "./values.js";

/** @throws TemplateError for whole numbers that JavaScript cannot hold exactly */
function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new TemplateError("a whole number goes beyond 2^53");
  return value + 0;
}

/** Python's arithmetic: whole numbers stay whole but for division, lists and texts add and repeat. */
export function binary(operator: string, a: Value, b: Value): Value {
  if (operator === "%" && typeof a === "string") return percent(a, b);
  if (a instanceof Undefined || b instanceof Undefined) refuse(a instanceof Undefined ? a : b);
  if (isNumber(a) && isNumber(b)) return arithmetic(operator, a, b);
  if (operator === "+") {
    if (typeof a === "string" && typeof b === "string") {
      spendText(a.length + b.length);
      return a + b;
    }
    if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple)) {
      spend(a.items.length + b.items.length);
      const items = [...a.items, ...b.items];
      return a instanceof List ? new List(items) : new Tuple(items);
    }
  }
  if (operator === "*") {
    const [of, times] = isWhole(a) ? [b, a] : [a, b];
    if (isWhole(times)) {
      const count = Math.max(0, Number(times));
      if (typeof of === "string") {
        spendText(of.length * count);
        return of.repeat(of === "" ? 0 : count);
      }
      if (of instanceof List || of instanceof Tuple) {
        spend(of.items.length * count);
        const items = of.items.length === 0 ? [] : Array.from({ length: count }, () => of.items).flat();
        return of instanceof List ? new List(items) : new Tuple(items);
      }
    }
  }
  if (a instanceof View && b instanceof View && operator === "-")
    return new List(a.items.filter((each) => !b.items.some((other) => equal(each, other))));
  throw new TemplateError(`unsupported operand types for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function arithmetic(operator: string, left: number | boolean | Float, right: number | boolean | Float): Value {
  const [a, b] = [number(left), number(right)];
  const isFloat = left instanceof Float || right instanceof Float;
  if (b === 0 && ["/", "//", "%"].includes(operator)) throw new TemplateError("division by zero");
  if (operator === "/") return new Float(a / b);
  if (operator === "**") {
    if (!isFloat && b >= 0) return exact(a ** b);
    if (a === 0 && b < 0) throw new TemplateError("0.0 cannot be raised to a negative power");
    if (a < 0 && !Number.isInteger(b)) throw new TemplateError("a negative number to a fraction is complex");
    const power = a ** b;
    if (!Number.isFinite(power) && Number.isFinite(a) && Number.isFinite(b))
      throw new TemplateError("Numerical result out of range");
    return new Float(power);
  }
  const value = operator === "+"
    ? a + b
    : operator === "-"
    ? a - b
    : operator === "*"
    ? a * b
    : operator === "//"
    ? floorDivide(a, b)
    : modulo(a, b);
  return isFloat ? new Float(value) : exact(value);
}

/** Has the sign of the divisor. */
export function modulo(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 ? -0 : 0;
  return (rest < 0) !== (b < 0) ? rest + b : rest;
}

const floorDivide = (a: number, b: number) =>
  Number.isInteger(a) && Number.isInteger(b) ? Math.floor(a / b) : Math.round((a - modulo(a, b)) / b);

export function negate(value: Value, by: 1 | -1): Value {
  if (isWhole(value)) return by * Number(value) + 0;
  if (value instanceof Float) return new Float(by * value.value);
  return value instanceof Undefined ? refuse(value) : fail(`bad operand type for unary -: '${typeName(value)}'`);
}

function fail(message: string): never {
  throw new TemplateError(message);
}

export function contains(container: Value, value: Value): boolean {
  if (typeof container === "string") {
    spend(container.length >> 6);
    return typeof value === "string"
      ? container.includes(value)
      : fail(`'in <string>' requires string as left operand, not ${typeName(value)}`);
  }
  if (container instanceof Dict) return container.has(value);
  return iterate(container).some((each) => equal(each, value));
}

export const COMPARISONS: Record<string, (a: Value, b: Value) => boolean> = { "==": equal, "!=": (a, b) => !equal(a, b),
  "<": (a, b) => order(a, b) < 0, "<=": (a, b) => order(a, b) <= 0, ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0, in: (a, b) => contains(b, a), "not in": (a, b) => !contains(b, a) };

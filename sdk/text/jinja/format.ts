import { spendText, TemplateError } from "./budget.js";
import { floatText, repr, str } from "./representation.js";
import { Dict, Float, isNumber, isWhole, lengthOf, number, Tuple, typeName, type Value } from "./values.js";

/** Digits of a fraction, rounded to even where it lies exactly between two. */
export function fixed(value: number, places: number): string {
  if (Math.abs(value) >= 1e21) return BigInt(value).toString() + (places > 0 ? `.${"0".repeat(places)}` : "");
  const text = value.toFixed(places);
  const exact = Math.abs(value).toFixed(Math.min(100, places + 30));
  const point = exact.indexOf(".");
  const cut = point + 1 + places;
  if (point < 0 || !/^50*$/.test(exact.slice(cut)) || places > 60) return text;
  const down = exact.slice(0, places === 0 ? point : cut);
  const even = "02468".includes(down[down.length - 1]) ? down : Math.abs(value).toFixed(places);
  const up = even === down ? down : increment(down);
  return value < 0 || Object.is(value, -0) ? `-${up}` : up;
}

function increment(digits: string): string {
  const places = digits.includes(".") ? digits.length - digits.indexOf(".") - 1 : 0;
  const next = (BigInt(digits.replace(".", "")) + 1n).toString().padStart(places + 1, "0");
  return places === 0 ? next : `${next.slice(0, -places)}.${next.slice(-places)}`;
}

function exponential(value: number, places: number): string {
  const [digits, exponent] = value.toExponential(Math.min(100, places)).split("e");
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function general(value: number, precision: number, keepZeros: boolean): string {
  const digits = Math.min(100, precision || 1);
  const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split("e")[1]);
  const text = exponent < -4 || exponent >= digits
    ? exponential(value, digits - 1)
    : fixed(value, digits - 1 - exponent);
  if (keepZeros || !text.includes(".")) return text;
  const [mantissa, power] = text.split("e");
  return mantissa.replace(/\.?0+$/, "") + (power === undefined ? "" : `e${power}`);
}

interface Layout {
  fill: string;
  align: string;
  sign: string;
  alternate: boolean;
  width: number;
  grouping: string;
  precision?: number;
  type: string;
}

/** The text of an absolute number in one of the types of both mini languages. */
function digitsOf(value: number, { type, precision, alternate, grouping }: Layout): string {
  const kind = type.toLowerCase();
  let text: string;
  if (!Number.isFinite(value)) text = Number.isNaN(value) ? "nan" : "inf";
  else if ("di".includes(kind)) text = BigInt(value).toString();
  else if ("box".includes(kind))
    text = (alternate ? `0${kind}` : "") + value.toString({ b: 2, o: 8, x: 16 }[kind]);
  else if (kind === "e") text = exponential(value, precision ?? 6);
  else if (kind === "g") text = general(value, precision ?? 6, alternate);
  else if (kind === "%") text = `${fixed(value * 100, precision ?? 6)}%`;
  else text = fixed(value, precision ?? 6);
  if (grouping) {
    const [head, tail = ""] = text.split(/(?=[.e%])(.*)/s, 2);
    text = head.replace(/\B(?=(\d{3})+(?!\d))/g, grouping) + tail;
  }
  return type !== kind ? text.toUpperCase() : text;
}

function padded(text: string, sign: string, { fill, align, width }: Layout, standard: string): string {
  const missing = width - (lengthOf(text)! + sign.length);
  if (missing <= 0) return sign + text;
  spendText(width);
  const side = align || standard;
  if (side === "=") return sign + fill.repeat(missing) + text;
  const left = side === ">" ? missing : side === "^" ? Math.floor(missing / 2) : 0;
  return fill.repeat(left) + sign + text + fill.repeat(missing - left);
}

const signOf = (value: number, sign: string) =>
  value < 0 || Object.is(value, -0) ? "-" : sign === "+" || sign === " " ? sign : "";
const SPEC = /^(?:([^])?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/u;

/** Python's format(value, spec). */
export function formatValue(value: Value, spec: string): string {
  if (spec === "") return str(value);
  const found = SPEC.exec(spec);
  if (!found) throw new TemplateError(`Invalid format specifier '${spec.slice(0, 80)}'`);
  const [, fill, align, sign, alternate, zero, width, grouping, precision, type] = found;
  const layout: Layout = { fill: fill ?? (zero ? "0" : " "), align: align ?? (zero ? "=" : ""), sign,
    alternate: alternate !== "", width: Number(width), grouping, type,
    precision: precision === undefined ? undefined : Number(precision) };
  if (isNumber(value) && !(typeof value === "boolean" && type === "")) {
    const isFloat = value instanceof Float;
    if (type === "c") return padded(String.fromCodePoint(number(value)), "", layout, "<");
    if (!type && isFloat && precision === undefined)
      return padded(floatText(Math.abs(value.value)), signOf(value.value, sign), layout, ">");
    const kind = type === "n" || type === "" ? (isFloat ? "g" : "d") : type;
    if (!(isFloat ? "eEfFgG%" : "bcdoxXeEfFgG%").includes(kind)) unknown(type, value);
    return padded(digitsOf(Math.abs(number(value)), { ...layout, type: kind }), signOf(number(value), sign), layout,
      ">");
  }
  if (typeof value !== "string" && typeof value !== "boolean")
    throw new TemplateError(`unsupported format string passed to ${typeName(value)}.__format__`);
  if (type !== "" && type !== "s") unknown(type, value);
  const text = str(value);
  const cut = precision === undefined ? text : [...text].slice(0, Number(precision)).join("");
  return padded(cut, "", { ...layout, align: layout.align === "=" ? "<" : layout.align }, "<");
}

function unknown(type: string, value: Value): never {
  throw new TemplateError(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
}

/** Python's `template % values`. */
export function percent(template: string, values: Value): string {
  const given = values instanceof Tuple ? [...values.items] : [values];
  let used = 0;
  const next = (): Value => {
    if (used >= given.length) throw new TemplateError("not enough arguments for format string");
    return given[used++];
  };
  const text = template.replace(/%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?[hlL]?([^]|$)/g,
    (_, key: string | undefined, flags: string, width: string, precision: string | undefined, type: string) => {
      if (type === "%") return "%";
      if (key !== undefined && !(values instanceof Dict)) throw new TemplateError("format requires a mapping");
      const size = (text: string) => (text === "*" ? Number(next()) : Number(text));
      const wide = size(width);
      const places = precision === undefined ? undefined : size(precision);
      const value = key === undefined ? next() : (values as Dict).get(key);
      if (value === undefined) throw new TemplateError(`no '${key}' to format`);
      if (key !== undefined) used = given.length;
      return percentValue(value, flags, wide, places, type);
    });
  // what has items counts as a mapping, whose leftovers are no mistake
  const counted = values instanceof Tuple || typeof values !== "object" || values === null || values instanceof Float;
  if (used < given.length && counted)
    throw new TemplateError("not all arguments converted during string formatting");
  spendText(text.length);
  return text;
}

function percentValue(value: Value, flags: string, width: number, precision: number | undefined, type: string): string {
  const layout: Layout = { fill: " ", align: flags.includes("-") || width < 0 ? "<" : ">", grouping: "",
    sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "", alternate: flags.includes("#"),
    width: Math.abs(width), precision, type };
  if ("sra".includes(type)) {
    const text = type === "s" ? str(value) : repr(value);
    return padded(precision === undefined ? text : [...text].slice(0, precision).join(""), "", layout, ">");
  }
  if (type === "c")
    return padded(typeof value === "string" ? value : String.fromCodePoint(Number(value)), "", layout, ">");
  if (!"diuoxXeEfFgG".includes(type)) throw new TemplateError(`unsupported format character '${type}'`);
  if (!isNumber(value)) throw new TemplateError(`%${type} format: a real number is required, not ${typeName(value)}`);
  if ("oxX".includes(type) && !isWhole(value))
    throw new TemplateError(`%${type} format: an integer is required, not float`);
  const kind = "diu".includes(type) ? "d" : type;
  const exact = kind === "d" ? Math.trunc(number(value)) : number(value);
  let digits = digitsOf(Math.abs(exact), { ...layout, type: kind });
  if ("doxX".includes(kind) && precision !== undefined) digits = digits.padStart(precision, "0");
  if (flags.includes("0") && layout.align !== "<") Object.assign(layout, { fill: "0", align: "=" });
  return padded(digits, signOf(exact, layout.sign), layout, ">");
}

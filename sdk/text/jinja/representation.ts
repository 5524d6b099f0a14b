import { spend, spendText, TemplateError } from "./budget.js";
import { Callable, Dict, Float, isNumber, List, Namespace, order, Range, Tuple, typeName, Undefined, type Value,
  View } from "./values.js";

/** Python's str(): what is printed. */
export function str(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : repr(value);
}

/** Python's repr(). */
export function repr(value: Value): string {
  spend();
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return wholeText(value);
  if (typeof value === "string") return quoted(value);
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof List) return joined("[", value.items.map(repr), "]");
  if (value instanceof Tuple) return joined("(", value.items.map(repr), value.items.length === 1 ? ",)" : ")");
  if (value instanceof Dict) return entries(value.keys, value.values);
  if (value instanceof View) return joined(`${value.name}([`, value.items.map(repr), "])");
  if (value instanceof Range)
    return `range(${value.start}, ${value.stop}${value.step === 1 ? "" : `, ${value.step}`})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Namespace)
    return `<Namespace ${entries([...value.members.keys()], [...value.members.values()])}>`;
  if (value instanceof Callable)
    return value.members.size > 0 ? `<Macro ${quoted(value.name)}>` : `<function ${value.name}>`;
  return `<${typeName(value)} object>`;
}

const entries = (keys: Value[], values: Value[]) =>
  joined("{", keys.map((key, i) => `${repr(key)}: ${repr(values[i])}`), "}");

function joined(open: string, parts: string[], close: string): string {
  spendText(parts.reduce((sum, part) => sum + part.length + 2, 0));
  return `${open}${parts.join(", ")}${close}`;
}

function wholeText(value: number): string {
  return Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString();
}

/** The shortest digits that read back the same; positional from 1e-4 to 1e16. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [digits, exponent] = value.toExponential().split("e");
  if (Number(exponent) >= 16 || Number(exponent) < -4)
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

const NOT_PRINTED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
const ESCAPED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

function quoted(text: string): string {
  spendText(text.length);
  const quote = text.includes("'") && !text.includes("\"") ? "\"" : "'";
  let out = "";
  for (const char of text) {
    if (char in ESCAPED) out += ESCAPED[char];
    else if (char === quote) out += `\\${char}`;
    else if (char !== " " && NOT_PRINTED.test(char)) {
      const code = char.codePointAt(0)!.toString(16);
      out += code.length <= 2
        ? `\\x${code.padStart(2, "0")}`
        : code.length <= 4
        ? `\\u${code.padStart(4, "0")}`
        : `\\U${code.padStart(8, "0")}`;
    } else out += char;
  }
  return quote + out + quote;
}

export interface JsonOptions {
  indent?: string;
  separators?: readonly [string, string];
  sortKeys?: boolean;
  ascii?: boolean;
}

/** Python's json.dumps with ensure_ascii false unless told, which transformers gives to templates as `tojson`. */
export function json(value: Value, options: JsonOptions = {}, margin = "\n"): string {
  spend();
  const { indent, separators = indent === undefined ? [", ", ": "] : [",", ": "], ascii } = options;
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return jsonText(value, ascii);
  if (typeof value === "number") return wholeText(value);
  if (value instanceof Float) return jsonFloat(value.value);
  const inner = indent === undefined ? "" : margin + indent;
  const together = (open: string, parts: string[], close: string) => {
    if (parts.length === 0) return open + close;
    spendText(parts.reduce((sum, part) => sum + part.length + inner.length + 2, 0));
    return open + inner + parts.join(separators[0] + inner) + (indent === undefined ? "" : margin) + close;
  };
  const below = indent === undefined ? margin : margin + indent;
  if (value instanceof List || value instanceof Tuple)
    return together("[", value.items.map((item) => json(item, options, below)), "]");
  if (value instanceof Dict) {
    const keys = options.sortKeys ? [...value.keys].sort(order) : value.keys;
    return together("{", keys.map((key) =>
      jsonText(jsonKey(key), ascii) + separators[1] + json(value.get(key)!, options, below)
    ), "}");
  }
  throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function jsonKey(key: Value): string {
  if (typeof key === "string") return key;
  if (key === null || isNumber(key)) return json(key);
  throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const jsonFloat = (value: number) =>
  Number.isFinite(value) ? floatText(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

function jsonText(text: string, ascii = false): string {
  spendText(text.length);
  // well-formed JSON.stringify writes lone surrogates as escapes, as Python would with ensure_ascii
  const written = JSON.stringify(text);
  return ascii
    ? written.replace(/[\u007f-\uffff]/g, (char) =>
      char === "\x7f" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
    : written;
}

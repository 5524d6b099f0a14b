import { inspect } from "node:util";
import type { Kind } from "../method/method.js";
import { acceptedBy, type Option, type Options } from "../method/options.js";
import { allMethods, methodNamed } from "../methods.js";
import { DISPLAY, type Displayable, type MimeBundle } from "../view/displayable.js";
import { type Table, table } from "../view/table.js";

export interface MethodRow {
  name: string;
  kind?: Kind;
  paper?: string;
  about?: string;
  options?: Options;
}

/** All methods, moelab's and those that were defined: an array that draws itself as a table. */
export class MethodList extends Array<MethodRow> implements Displayable {
  // what `map` and `filter` give is a plain array
  static override get [Symbol.species]() {
    return Array;
  }

  table(): Table {
    return table(
      this.map(({ name, kind = "", paper = "", about = "", options = {} }) => ({ method: name, verb: kind, paper, about,
        options: Object.entries(options).map(([name, row]) => `${name}${defaultOf(row)}`).join(", ") })
      ),
      { title: `${this.length} methods; moe.methods("${this[0].name}") says what the options of one may be`,
        maxRows: Infinity },
    );
  }

  [DISPLAY](): MimeBundle | Promise<MimeBundle> {
    return this.table()[DISPLAY]();
  }

  [inspect.custom](): string {
    return this.table().toText();
  }
}

/**
 * All methods; or, by name, the options of one: what each may be, what it is when it is not given, what it does.
 *
 * @throws MoeError `unknown-method`
 * @example
 * moe.methods()           // a table; moe.methods().map(({ name }) => name) are the names
 * moe.methods("m-smoe")   // its options
 */
export function methodList(): MethodList;
export function methodList(name: string): Table;
export function methodList(name?: string): MethodList | Table {
  if (name === undefined)
    return MethodList.from(
      allMethods().map(({ name, kind, paper, about, options }) => ({ name, kind, paper, about, options })),
    ) as MethodList;
  const { options = {}, about = "" } = methodNamed(name);
  return table(
    Object.entries(options).map(([option, row]) => ({ option, accepted: acceptedBy(row), default: usualOf(row),
      about: row.about.replace(/\s+/g, " ") })
    ),
    { title: `${name}: ${about}`, columns: ["option", "accepted", "default", "about"] },
  );
}

/** What holds when an option is not given; "" if it has to be. */
export function usualOf({ default: usual, otherwise }: Option): string {
  return otherwise ?? (Array.isArray(usual) && usual.length === 0 ? "none" : usual === undefined ? "" : String(usual));
}

function defaultOf(row: Option): string {
  return typeof row.default === "string" || typeof row.default === "number" ? ` = ${row.default}` : "";
}

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readFamily, specFromConfig } from "../checkpoint/family.js";
import { headerSummary } from "../checkpoint/header-summary.js";
import { resolveModel } from "../checkpoint/hub.js";
import { readConfig } from "../checkpoint/read-config.js";
import type { TensorGroup } from "../checkpoint/tensor-summary.js";
import { MoeError } from "../errors.js";
import { formatBytes, formatCount } from "../format.js";
import { DISPLAY, Displayed, type MimeBundle } from "../view/displayable.js";
import { Html, html } from "../view/html.js";
import { type Table, table } from "../view/table.js";
import { architectureCard } from "./architecture-card.js";

/** What a checkpoint is and holds, from its configuration and headers. Draws itself in a notebook. */
export class Inspection extends Displayed {
  /**
   * @param card lines of name and value; none without a config.json that is understood
   * @param tensors by part and dtype, the largest first
   * @param problem why there is no card
   */
  constructor(
    readonly model: string,
    readonly card: readonly { name: string; value: string }[],
    readonly tensors: readonly TensorGroup[],
    readonly problem?: string,
  ) {
    super();
  }

  toText(): string {
    const width = Math.max(...this.card.map(({ name }) => name.length)) + 2;
    const head = this.problem
      ? [this.problem, ""]
      : [...this.card.map(({ name, value }) => name.padEnd(width) + value), ...(this.card.length ? [""] : [])];
    return [...head, this.groups().toText(), "", this.sum()].join("\n");
  }

  [DISPLAY](): MimeBundle {
    const card = this.card.length
      ? table(this.card, {
        columns: { name: { format: "text", title: this.model }, value: { format: "text", title: "" } },
        maxRows: Infinity,
      }).toHTML()
      : undefined;
    return {
      data: {
        "text/html": String(
          html`<div>${card === undefined ? html`<p>${this.problem}</p>` : new Html(card)}${new Html(
            this.groups().toHTML(),
          )}<p>${this.sum()}</p></div>`,
        ),
        "text/plain": this.toText(),
      },
    };
  }

  private groups(): Table {
    return table(this.tensors, {
      columns: { part: "text", dtype: "text", tensors: "number", shape: "text", elements: "count",
        sizeBytes: { format: "bytes", title: "bytes" } },
      maxRows: Infinity,
    });
  }

  private sum(): string {
    const sum = (key: "tensors" | "elements" | "sizeBytes") =>
      this.tensors.reduce((total, group) => total + group[key], 0);
    return `${sum("tensors")} tensors, ${formatCount(sum("elements"))} elements, ${formatBytes(sum("sizeBytes"))}`;
  }
}

/**
 * Reads a checkpoint's headers and no weight. A model of an unknown family still shows its tensors.
 *
 * @param options.family a family file of one's own
 * @param model a folder, a .safetensors or .gguf file, a bundled name, or a hub id
 * @example await inspectModel("OLMoE-1B-7B-0924")
 */
export async function inspectModel(model: string, options: { family?: string } = {}): Promise<Inspection> {
  const path = await resolveModel(model);
  // the card is made while the headers are read
  const counting = headerSummary(path);
  counting.catch(() => undefined);
  const card = await cardOf(path, options.family);
  const tensors = await counting;
  if (typeof card === "string") return new Inspection(model, [], tensors, card);
  return new Inspection(model, card ? [...card, bytesByDtype(tensors)] : [], tensors);
}

/** The architecture card; why there is none, in words; undefined without a config.json. */
async function cardOf(
  path: string,
  family?: string,
): Promise<ReturnType<typeof architectureCard> | string | undefined> {
  if (!(await stat(join(path, "config.json")).catch(() => undefined))) return undefined;
  try {
    return architectureCard(
      await specFromConfig(await readConfig(path), family === undefined ? undefined : readFamily(family)),
    );
  } catch (error) {
    if (!(error instanceof MoeError)) throw error;
    return error.message;
  }
}

function bytesByDtype(tensors: readonly TensorGroup[]): { name: string; value: string } {
  const sizes = new Map<string, number>();
  for (const { dtype, sizeBytes } of tensors) sizes.set(dtype, (sizes.get(dtype) ?? 0) + sizeBytes);
  return { name: "stored as",
    value: [...sizes].sort((a, b) => b[1] - a[1]).map(([dtype, bytes]) => `${dtype} ${formatBytes(bytes)}`).join(
      ", ",
    ) };
}

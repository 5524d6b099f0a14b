import { formatBytes, formatCount } from "../format.js";
import { cost } from "../model/cost.js";
import { type ModelSpec, moeLayers } from "../model/spec.js";

export interface ModelCardInput {
  name: string;
  /** configuration of the model that was loaded */
  before: Record<string, unknown>;
  after: ModelSpec;
  layout: string;
  /** bytes of weights in each layout */
  layouts: Record<string, number | undefined>;
  leftOut: string[];
  provenance: Record<string, unknown>;
}

/** README.md of a saved model: what it is, where it comes from, what was done to it. */
export function modelCard({ name, before, after, layout, layouts, leftOut, provenance }: ModelCardInput): string {
  const { parameters, active } = cost(after);
  const steps = (provenance.steps ?? []) as { stage: string; options?: Record<string, unknown>;
    plan?: { method: string; paper?: string } }[];
  const experts = moeLayers(after).map(({ id, ffn }) =>
    `| ${id} | ${ffn.experts} | ${new Set(ffn.expertOf.filter((slot) => slot >= 0)).size} | ${ffn.router.topK} |`
  );
  const sizes = Object.entries(layouts).flatMap(
    ([which, bytes]) => (bytes === undefined ? [] : [`${which} ${formatBytes(bytes)}`])
  );
  return ["---", "tags:", "- mixture-of-experts", "- moelab", "---", "", `# ${name}`, "",
    `${formatCount(parameters.total)} parameters, ${formatCount(active.total)} active per token; `
    + `architecture ${String((before.architectures as string[] | undefined)?.[0] ?? before.model_type)}.`, "",
    ...(provenance.model
      ? ["## Where it comes from", "",
        "Made from "
        + `${String(provenance.model)}${
          provenance.original ? " (weights " + `${String(provenance.original).slice(0, 16)})` : ""
        }.`, ""]
      : []),
    ...(steps.length
      ? ["## What was done", "", ...steps.map(({ stage, options, plan }, at) =>
        `${at + 1}. `
        + `${stage}${plan ? `, ${plan.method}${plan.paper ? ` (${plan.paper})` : ""}` : ""}${
          options && Object.keys(options).length ? `: \`${JSON.stringify(options)}\`` : ""
        }`
      ), "", "The whole plans are in moelab.json.", ""]
      : []),
    ...(experts.length
      ? ["## Experts", "", "| layer | router outputs | stored experts | per token |", "| --- | --- | --- | --- |",
        ...experts, ""]
      : []), "## Files", "",
    `Layout \`${layout}\`. Weights by layout: ${sizes.join(", ")}. A sha256 of every file is in moelab.json.`,
    ...(leftOut.length
      ? ["", `Left out: ${leftOut.length} tensors that the model does not run, listed in moelab.json.`]
      : []), ""].join("\n");
}

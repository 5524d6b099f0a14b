import { MoeError } from "../../errors.js";

/** A model on the hub. `revision` is a branch, a tag or a commit. */
export interface ModelId {
  name: string;
  revision: string;
}

/**
 * @returns undefined if the text is neither `org/name[@revision]` nor a `name` alone, as the oldest models have (gpt2)
 * @throws MoeError `model-id` for a revision that is no revision
 * @example parseModelId("allenai/OLMoE-1B-7B-0924@main")  // { name: "allenai/OLMoE-1B-7B-0924", revision: "main" }
 */
export function parseModelId(text: string): ModelId | undefined {
  const [, name, revision = "main"] = /^([^@]*)(?:@(.*))?$/s.exec(text) ?? [];
  // the hub's own rule; it keeps "..", absolute paths and the separator of the cache out
  const word = /^(?!.*(\.\.|--))[a-zA-Z0-9_][\w.-]{0,95}$/;
  const parts = (name ?? "").split("/");
  if (parts.length > 2 || !parts.every((part) => word.test(part))) return undefined;
  // a name as git allows it, without what means something in a path
  if (!/^[\w.-]+(\/[\w.-]+)*$/.test(revision) || revision.split("/").some((part) => part === "." || part === "..")) {
    throw new MoeError("model-id",
      `load: "${text}" names the revision "${revision}"; accepted is a branch, a tag or a commit. Correct `
        + "what follows the @.");
  }
  return { name, revision };
}

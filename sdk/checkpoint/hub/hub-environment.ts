import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { MoeError } from "../../errors.js";

/** Where models come from and go to, by the environment variables that Python's tools read. */
export interface HubEnvironment {
  /** HF_HUB_CACHE, or hub in HF_HOME, which is ~/.cache/huggingface unless told */
  cache: string;
  /** HF_ENDPOINT without a slash at the end */
  endpoint: string;
  /** HF_TOKEN, or the file that `hf auth login` writes */
  token?: string;
  /** HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE */
  offline: boolean;
}

/** @throws MoeError `hub-token`, `hub-endpoint`; no message holds the value */
export function hubEnvironment(env: NodeJS.ProcessEnv = process.env): HubEnvironment {
  const home = expand(env.HF_HOME || join(env.XDG_CACHE_HOME || "~/.cache", "huggingface"));
  const token = env.HF_TOKEN?.trim() || readToken(expand(env.HF_TOKEN_PATH || join(home, "token")));
  // fetch names a header that it refuses in its error
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new MoeError("hub-token",
      "load: the Hugging Face token has a space or a sign that no token has; accepted is what "
        + "https://huggingface.co/settings/tokens shows. Set HF_TOKEN again.");
  }
  return {
    cache: expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    endpoint: checkEndpoint(env.HF_ENDPOINT || "https://huggingface.co"),
    token: token || undefined,
    offline: [env.HF_HUB_OFFLINE, env.TRANSFORMERS_OFFLINE].some((value) => /^(1|true|yes|on)$/i.test(value ?? "")),
  };
}

function checkEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return endpoint.replace(/\/+$/, "");
  throw new MoeError("hub-endpoint",
    "load: HF_ENDPOINT is no address of a hub; accepted is http(s)://host without user and password. "
      + "Correct or unset it.");
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function expand(path: string): string {
  return path.replace(/^~(?=$|\/)/, homedir());
}

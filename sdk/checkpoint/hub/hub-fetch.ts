import { setTimeout as sleep } from "node:timers/promises";
import { MoeError } from "../../errors.js";

export interface HubConnection {
  endpoint: string;
  token?: string;
  signal?: AbortSignal;
  /** tries of a request that fails for a reason that passes; 5 unless told */
  attempts?: number;
  /** the first wait between two tries, doubled each time; 1000 unless told */
  retryDelayMs?: number;
}

/** The hub's limits are counted over 5 minutes: who waits that long may go on. */
const MAX_WAIT_MS = 300_000;

/**
 * A `fetch` for the hub: sends the token to the endpoint alone (fetch leaves it out when redirected elsewhere),
 * waits and tries again on lost connections, 429 and 5xx, honours Retry-After, and throws for every other failure.
 *
 * @throws MoeError `not-allowed` (401, 403), `not-found` (404), `rate-limited` (429), `hub` (other answers),
 *   `hub-unreachable`; the signal's reason
 */
export function hubFetch(connection: HubConnection): typeof fetch {
  const { endpoint, token, signal, attempts = 5, retryDelayMs = 1000 } = connection;
  return async (input, init) => {
    const url = new URL(String(input));
    const headers = new Headers(init?.headers);
    headers.set("User-Agent", "moelab");
    // a page link in an answer may lead anywhere
    if (token && url.origin === new URL(endpoint).origin) headers.set("Authorization", `Bearer ${token}`);
    for (let attempt = 1;; attempt++) {
      signal?.throwIfAborted();
      const { response, error } = await fetch(url, { ...init, headers, signal }).then(
        (response) => ({ response, error: undefined }),
        (error: Error) => ({ response: undefined, error }),
      );
      signal?.throwIfAborted();
      if (response?.ok) return response;
      const failure = response ? failureOf(response, url, token !== undefined) : unreachable(url, error);
      const passes = !response || response.status === 408 || response.status === 429 || response.status >= 500;
      const waitMs = retryAfterMs(response) ?? retryDelayMs * 2 ** (attempt - 1);
      // not awaited: a body whose request was stopped meanwhile never answers
      void response?.body?.cancel().catch(() => undefined);
      if (!passes || attempt >= attempts || waitMs > MAX_WAIT_MS) throw failure;
      await sleep(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  };
}

/**
 * Neither the answer's body nor its address after redirects goes into a message: one may repeat the token, the other is
 * signed.
 */
function failureOf(response: Response, url: URL, hasToken: boolean): MoeError {
  const where = `${url.origin}${url.pathname}`;
  const fail = (code: string, accepted: string) =>
    new MoeError(code, `load: the hub answered ${response.status} for ${where}; accepted is ${accepted}`);
  switch (response.status) {
    case 401:
    case 403:
      return fail("not-allowed",
        hasToken
          ? "a token that may read this model. Accept its conditions on its page, or set another HF_TOKEN."
          : "a public model, or a token that may read this one. Check the name, accept the conditions on its "
            + "page, and set HF_TOKEN.");
    case 404:
      return fail("not-found",
        "a model, revision and file that are there "
          + `(${response.headers.get("X-Error-Code") ?? "no reason given"}). Check the name, or set HF_TOKEN if `
          + "the model is private.");
    case 429:
      return fail("rate-limited",
        `fewer requests; it asks to wait ${response.headers.get("Retry-After") ?? "some"} seconds. Try again `
          + `later${hasToken ? "" : ", or set HF_TOKEN, which raises the limit"}.`);
    default:
      return fail("hub", "200. Try again later.");
  }
}

function unreachable(url: URL, error: Error | undefined): MoeError {
  const cause = error?.cause as NodeJS.ErrnoException | undefined;
  return new MoeError("hub-unreachable",
    `load: no answer from ${url.origin} (${cause?.code ?? error?.name}); accepted is a hub that answers. `
      + "Check the network, or set HF_HUB_OFFLINE=1 to use what is cached.");
}

/** Retry-After is a number of seconds or a date. */
function retryAfterMs(response: Response | undefined): number | undefined {
  const header = response?.headers.get("Retry-After");
  if (!header) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

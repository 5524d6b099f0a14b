/** Text that grows by tokens: pieces are given as soon as they are complete characters. */
export interface TextStream {
  /** all that was given so far, up to a stop text */
  readonly text: string;
  /** a stop text came */
  readonly stopped: boolean;
  /** @returns what this token added to the text; "" while a character or a stop text is not complete */
  add(id: number): string;
  /** What was held back, when no token follows. */
  end(): string;
}

/** Decoders join a token to those before it; so many before the open one are decoded with it. */
const CONTEXT = 8;
const INCOMPLETE = "\uFFFD";

/**
 * Decodes token by token. A character of several tokens is given when its last one comes; what may be the beginning of
 * a stop text is held back until it is clear.
 *
 * @example const stream = textStream(tokenizer, ["\n\n"]); for (const id of ids) process.stdout.write(stream.add(id));
 */
export function textStream(
  tokenizer: { decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean }): string },
  stop: readonly string[] = [],
): TextStream {
  const ids: number[] = [];
  // ids before `open` are in `whole`; those from `from` are decoded again, so that joining comes out as in one piece
  let from = 0, open = 0, whole = "", given = 0, stopped = false;
  const decode = (end: number) => tokenizer.decode(ids.slice(from, end), { skipSpecial: true });

  function take(partial: boolean): void {
    const before = decode(open), now = decode(ids.length);
    if (!partial && now.endsWith(INCOMPLETE)) return;
    whole += now.slice(before.length);
    open = ids.length;
    from = Math.max(from, open - CONTEXT);
  }
  function give(last: boolean): string {
    const at = stop.map((text) => whole.indexOf(text)).filter((found) => found >= 0);
    if (at.length > 0) {
      stopped = true;
      whole = whole.slice(0, Math.min(...at));
    }
    const held = last || stopped ? 0 : heldBack(whole, stop);
    const piece = whole.slice(given, whole.length - held);
    given += piece.length;
    return piece;
  }
  return {
    get text() {
      return whole.slice(0, given);
    },
    get stopped() {
      return stopped;
    },
    add(id) {
      if (stopped) return "";
      ids.push(id);
      take(false);
      return give(false);
    },
    end() {
      if (!stopped && open < ids.length) take(true);
      return give(true);
    },
  };
}

/** Characters at the end that may begin a stop text. */
function heldBack(text: string, stop: readonly string[]): number {
  let most = 0;
  for (const one of stop)
    for (let length = Math.min(one.length - 1, text.length); length > most; length--)
      if (text.endsWith(one.slice(0, length))) most = length;
  return most;
}

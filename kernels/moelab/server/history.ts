import { globMatches } from "./glob.js";

/** One entry as the protocol writes it: session, line number, source. */
type Entry = [session: number, line: number, source: string];

/** The inputs of this session. */
export class History {
  private readonly entries: Entry[] = [];

  add(line: number, source: string): void {
    this.entries.push([SESSION, line, source]);
  }

  /** Answers `history_request`: a range of lines, the last n, or those that match a glob pattern. */
  find(request: Record<string, any>): { history: unknown[] } {
    let found = this.entries;
    if (request.hist_access_type === "range") {
      const here = (request.session ?? 0) === 0 || request.session === SESSION;
      found = here ? found.filter(([, line]) => line >= (request.start ?? 0) && line < (request.stop ?? Infinity)) : [];
    } else {
      if (request.hist_access_type === "search") {
        found = found.filter(([, , source]) => globMatches(request.pattern ?? "*", source));
        if (request.unique) found = [...new Map(found.map((entry) => [entry[2], entry])).values()];
      }
      if (request.n) found = found.slice(-request.n);
    }
    return {
      history: request.output ? found.map(([session, line, source]) => [session, line, [source, null]]) : found,
    };
  }
}

const SESSION = 1;

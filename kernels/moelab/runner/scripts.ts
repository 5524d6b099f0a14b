import { SourceMap } from "node:module";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { RunRequest } from "../threads.js";

interface Script {
  number: number;
  source: string;
  map: string;
  decoded?: SourceMap;
}

/** Compiled cells and modules by the name that they carry in stack traces. */
const scripts = new Map<string, Script>();
const modules = new Map<string, { map: string; decoded?: SourceMap }>();

/** Names the script of a cell; an expression of the front end has no source to show. */
export function scriptName(request: Pick<RunRequest, "key" | "number" | "source" | "compiled">): string {
  const name = `<cell ${request.key}>`;
  scripts.set(name, { number: request.number, source: request.source, map: request.compiled.map });
  return name;
}

let loaded: MessagePort | undefined;

/** Tells where the source maps of local TypeScript modules arrive; they are read when a stack trace needs one. */
export function readModuleMaps(port: MessagePort): void {
  loaded = port;
  port.unref();
}

function moduleOf(url: string): { map: string; decoded?: SourceMap } | undefined {
  // a module may throw before the event loop has seen its map
  for (let next = loaded && receiveMessageOnPort(loaded); next; next = receiveMessageOnPort(loaded!))
    modules.set(next.message.url, { map: next.message.map });
  return modules.get(url);
}

/**
 * Makes every stack trace speak of cells and TypeScript lines: `at dispatch (Cell [9]:3:11)`.
 * Frames of the kernel and of Node's own machinery are left out.
 *
 * @param kernelFolder URL of the kernel's own code
 */
export function installStackTraces(kernelFolder: string): void {
  const hidden = (line: string) =>
    line.includes(kernelFolder) || /\bnode:(internal|vm|async_hooks)/.test(line) || COMPILERS_OWN.test(line);
  const format = (error: Error, frames: NodeJS.CallSite[]) => {
    const lines = frames.map((frame) => translate(String(frame)));
    const shown = lines.filter((line) => !hidden(line));
    while (shown.length > 1 && /\bnode:/.test(shown.at(-1)!)) shown.pop(); // how Node came to call the cell
    const foreign = shown.length > 0 ? shown : lines.filter((line) => !line.includes(kernelFolder));
    return [asWritten(header(error)), ...(foreign.length > 0 ? foreign : lines).map((line) => `    at ${line}`)].join(
      "\n",
    );
  };
  let chosen = format;
  // a library that reads frames by a function of its own puts back what it found, or undefined
  Object.defineProperty(Error, "prepareStackTrace", { configurable: true, get: () => chosen,
    set: (given) => (chosen = given ?? format) });
  Error.stackTraceLimit = 20;
}

/** A function that TypeScript adds to a cell, for `using` or decorators, has no place in its text. */
const COMPILERS_OWN = /^(.* \()?Cell \[\d+\]\)?$/;

/** V8 names what was called as it was compiled: `(0 , __vars.f) is not a function`. */
export function asWritten(text: string): string {
  return text.replace(/\(0 ?, ?__vars\.([^\s()]+)\)/g, "$1").replace(/\b__vars\.(?=[\p{ID_Start}$_])/gu, "");
}

/** A syntax error that only V8 sees says where in a frame of its own: source line and `^` under the place. */
export function atItsPlace(error: unknown): unknown {
  const [place = "", , marker = ""] = error instanceof SyntaxError ? String(error.stack).split("\n") : [];
  if (error instanceof SyntaxError && /^<cell \d+>:\d+$/.test(place))
    error.stack = `SyntaxError: ${error.message}\n    at ${translate(`${place}:${marker.indexOf("^") + 1}`)}`;
  return error;
}

function header(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function translate(frame: string): string {
  return frame.replace(/(<cell \d+>):(\d+):(\d+)/g, (all, name, line, column) => {
    const script = scripts.get(name);
    if (!script) return all;
    const place = original(script.decoded ??= new SourceMap(JSON.parse(script.map)), line, column);
    return place ? `Cell [${script.number}]:${place}` : `Cell [${script.number}]`;
  }).replace(/(file:\/\/[^\s()]+\?v=[\w.]+):(\d+):(\d+)/g, (all, url: string, line, column) => {
    const module = moduleOf(url);
    const place = module && original(module.decoded ??= new SourceMap(JSON.parse(module.map)), line, column);
    return `${decodeURIComponent(new URL(url).pathname)}:${place ?? `${line}:${column}`}`;
  });
}

function original(map: SourceMap, line: string, column: string): string | undefined {
  const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
  return "originalLine" in entry && entry.originalLine !== undefined
    ? `${entry.originalLine + 1}:${entry.originalColumn + 1}`
    : undefined;
}

/** The lines around the first place of a stack trace that lies in a cell, with the number and the place marked. */
export function excerpt(stack: string): string | undefined {
  const place = /Cell \[(\d+)\]:(\d+):(\d+)/.exec(stack);
  if (!place) return undefined;
  const [, number, line] = place.map(Number);
  const script = [...scripts.values()].reverse().find((candidate) => candidate.number === number && candidate.source);
  const lines = script?.source.split("\n");
  if (!lines || line! > lines.length) return undefined;
  const first = Math.max(1, line! - 2);
  const width = String(line! + 1).length;
  return [`Cell [${number}]`,
    ...lines.slice(first - 1, line! + 1).map((text, i) =>
      `${first + i === line ? "\u001b[31m>\u001b[39m" : " "} ${String(first + i).padStart(width)} | ${text}`
    )].join("\n");
}

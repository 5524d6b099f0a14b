import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { test } from "uvu";
import * as assert from "uvu/assert";

const sdk = fileURLToPath(new URL("../sdk", import.meta.url));

/** The floors of sdk/, from below; a folder (or a file beside them) imports from floors below its own, types too. */
const floors: readonly (readonly string[])[] = [["errors.ts"], ["parse-json.ts", "parsed.ts", "shown.ts",
  "known-names.ts", "read-text.ts", "package-file.ts", "format.ts"], ["files"], ["tensor", "statistics"], ["model",
  "text"], ["match"], ["checkpoint"], ["plan", "compose", "offload"], ["profile", "train"], ["method"], ["search"], [
  "merge",
  "prune",
  "compress",
  "route",
  "view",
  "architectures",
], ["evaluate", "methods.ts"], ["stages"], ["pipeline.ts"], ["experiment"], ["cli"], ["moe.ts"], ["index.ts"]];
const longest = { lines: 300, characters: 120 };

const files = readdirSync(sdk, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")).sort();
const sources = new Map(files.map((name) => [name, readFileSync(join(sdk, name), "utf8")]));
const imports = new Map(files.map((name) => [name, importsOf(name)]));

test("no folder imports from its own floor or one above", () => {
  const wrong: string[] = [];
  for (const [from, targets] of imports) {
    for (const to of targets) {
      const [a, b] = [roomOf(from), roomOf(to)];
      if (a !== b && floorOf(a) <= floorOf(b)) wrong.push(`${from} imports ${to}`);
    }
  }
  assert.equal(wrong, []);
});

test("files import one another in no circle", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" > "));
    if (path.includes(file) || done.has(file)) return;
    for (const next of imports.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  assert.equal(circles, []);
});

test(`files have at most ${longest.lines} lines of at most ${longest.characters} characters`, () => {
  const wrong = [...sources].flatMap(([name, text]) => {
    const lines = text.split("\n");
    const wide = lines.findIndex((line) => line.length > longest.characters);
    return [...(lines.length > longest.lines + 1 ? [`${name} has ${lines.length - 1} lines`] : []),
      ...(wide >= 0 ? [`${name}:${wide + 1} has ${lines[wide].length} characters`] : [])];
  });
  assert.equal(wrong, []);
});

test.run();

/** Files of sdk/ that a file imports, for values or types. */
function importsOf(name: string): string[] {
  return ts.preProcessFile(sources.get(name)!).importedFiles.map(({ fileName }) => fileName).filter((specifier) =>
    specifier.startsWith(".")
  ).map((specifier) => relative(sdk, resolve(dirname(join(sdk, name)), specifier)).replace(/\.js$/, ".ts")).filter(
    (target) => sources.has(target)
  );
}

function roomOf(name: string): string {
  return name.split("/")[0];
}

function floorOf(room: string): number {
  const floor = floors.findIndex((rooms) => rooms.includes(room));
  if (floor < 0) throw new Error(`${room} has no floor; say in this test where it belongs`);
  return floor;
}

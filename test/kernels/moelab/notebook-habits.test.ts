import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as all from "../cases.js";
import { Session, sleep, until } from "../session.js";

// What people write in notebooks, from the everyday to the odd.

const test = suite("notebook habits");
let session: Session;
test.before(async () => {
  session = await Session.start({
    "config.json": "{ \"layers\": 4, \"name\": \"tiny\", \"nested\": { \"list\": [1, 2] } }",
    "lib.ts": "export const a = 1; export let count = 0; export function bump() { return ++count } export default "
      + "'the default';",
    "throws.ts": "export const never = 1;\n\nthrow new RangeError('while loading');",
    "side.ts": "(globalThis as any).sides = ((globalThis as any).sides ?? 0) + 1; export {};",
    "types.ts": "export interface Shape { kind: string } export type Maybe<T> = T | undefined; export enum Level { "
      + "Low = 1, High } export abstract class Animal { abstract name: string }",
    "common.cjs": "module.exports = function add(x, y) { return x + y }; module.exports.version = 3;",
  }, "my notebooks ");
});
test.after(() => session.stop());

const given = (code: string) => all.given(session, code);
const cases = (about: string, each: all.Case[]) => all.cases(test, () => session, about, each);

cases("generators, iterators and labelled loops", [[
  "function* countTo(n: number): Generator<number, string> { for (let i = 1; i <= n; i++) yield i; return 'end' }",
  "const counter = countTo(2); [[...countTo(3)], counter.next(), counter.next().value, counter.next()]",
  "[ [ 1, 2, 3 ], { value: 1, done: false }, 2, { value: 'end', done: true } ]",
], ["async function* ticks(n: number) { for (let i = 0; i < n; i++) { await null; yield i * i } }",
  "const squares: number[] = []; for await (const t of ticks(4)) squares.push(t); squares", "[ 0, 1, 4, 9 ]"], [
  "function* outerGen() { const got: number = yield* innerGen(); yield got } function* innerGen(): "
  + "Generator<number, number> { yield 1; return 2 }",
  "[...outerGen()]",
  "[ 1, 2 ]",
], [
  "search: for (const row of [[1, 2], [3, 4]]) for (const cell of row) if (cell === 3) { "
  + "console.log('found'); break search }",
  "~found",
], [
  "const range = { from: 1, to: 3, *[Symbol.iterator]() { for (let i = this.from; i <= this.to; i++) "
  + "yield i } }; [...range, Math.max(...range)]",
  "[ 1, 2, 3, 3 ]",
], [
  "const [firstTick, ...restTicks] = [5, 6, 7]; let swapA = 1, swapB = 2; [swapA, swapB] = [swapB, "
  + "swapA]; [firstTick, restTicks, swapA, swapB]",
  "[ 5, [ 6, 7 ], 2, 1 ]",
], ["for await (const v of [Promise.resolve(1), 2]) console.log(v)", "~1 2"], [
  "let waited = 0; for (let i = 0; i < 3; i++) { await new Promise((r) => setTimeout(r, 1)); waited += i } waited",
  "3",
], ["const fns = []; for (var loopVar = 0; loopVar < 3; loopVar++) fns.push(() => loopVar); fns.map((f) => f())",
  "[ 3, 3, 3 ]"], ["do { var tries = (tries ?? 0) + 1 } while (tries < 5); tries", "5"]]);

cases("classes of every kind", [[
  "class Account { #balance = 0; static #count = 0; static { Account.#count = 10 } get balance() { "
  + "return this.#balance } set balance(v) { this.#balance = v } static made() { return ++Account.#count "
  + "} has(o: object) { return #balance in o } }",
  "const account = new Account(); account.balance += 5; [account.balance, Account.made(), "
  + "account.has(account), account.has({})]",
  "[ 5, 11, true, false ]",
], [
  "class Savings extends Account { constructor(readonly rate = 0.1, private owner?: string) { super(); "
  + "this.balance = 100 } override get balance() { return super.balance * 2 } override set balance(v) { "
  + "super.balance = v } }",
  "new Savings().balance",
  "200",
], [
  "abstract class Layer<const T extends readonly number[]> { constructor(readonly shape: T) {} "
  + "abstract apply(x: number): number; static of<U extends readonly number[]>(s: U) { return new (class "
  + "extends Layer<U> { apply(x: number) { return x * this.shape.length } })(s) } } Layer.of([1, " + "2]).apply(4)",
  "8",
], ["new Layer([1])", "!Cannot create an instance of an abstract class"], [
  "const Mixin = <T extends new (...args: any[]) => object>(Base: T) => class extends Base { mixed = "
  + "true }; class Plain { p = 1 } const m = new (Mixin(Plain))(); [m.mixed, m.p]",
  "[ true, 1 ]",
], [
  "class Chain { private parts: string[] = []; add(p: string): this { this.parts.push(p); return this "
  + "} toString() { return this.parts.join('-') } } `${new Chain().add('a').add('b')}`",
  "'a-b'",
], [
  "interface Account { extra?: number } class Box<T> { constructor(public value: T) {} map<U>(f: (v: "
  + "T) => U) { return new Box(f(this.value)) } }",
  "new Box(3).map((v) => v + 1).map(String).value",
  "'4'",
], [
  "class Temp { static [Symbol.hasInstance](x: unknown) { return x === 1 } accessor degrees = 20 } [(1 "
  + "as any) instanceof Temp, new Temp().degrees]",
  "[ true, 20 ]",
]]);

cases("types that are worth something", [[
  "function pick<const T extends readonly string[]>(names: T): T[number] { return names[0]! } const "
  + "picked = pick(['a', 'b']); picked satisfies 'a' | 'b'",
  "'a'",
], [
  "const palette = { red: [255, 0, 0], green: '#0f0' } satisfies Record<string, string | number[]>; "
  + "palette.green.toUpperCase()",
  "'#0F0'",
], [
  "type Shape2 = { kind: 'circle'; r: number } | { kind: 'square'; s: number }; const area = (s: "
  + "Shape2) => { switch (s.kind) { case 'circle': return s.r; case 'square': return s.s ** 2; default: "
  + "{ const never: never = s; return never } } };",
  "area({ kind: 'square', s: 3 })",
  "9",
], ["area({ kind: 'triangle' })", "!not assignable to type"], [
  "type Deep<T> = { readonly [K in keyof T]: T[K] extends object ? Deep<T[K]> : T[K] }; const deep: "
  + "Deep<{ a: { b: number } }> = { a: { b: 1 } };",
  "deep.a.b = 2",
  "!Cannot assign to 'b' because it is a read-only property",
], ["type Route = `/${string}/${number}`; const route: Route = '/x/1';", "const route2: Route = 'x'",
  "!not assignable to type"], [
  "function isText(x: unknown): x is string { return typeof x === 'string' } const mixed: unknown[] = "
  + "[1, 'two']; mixed.filter(isText).map((t) => t.length)",
  "[ 3 ]",
], [
  "function assertIs(x: unknown): asserts x is number { if (typeof x !== 'number') throw new "
  + "TypeError('no number') } const un: unknown = 4; assertIs(un); un.toFixed(1)",
  "'4.0'",
], ["enum Bits { A = 1 << 0, B = 1 << 1, Both = A | B, Text = 'abc'.length } [Bits.Both, Bits.Text, Bits[1]]",
  "[ 3, 3, 'A' ]"], ["enum Merged { A = 1 } enum Merged { B = 2 } [Merged.A, Merged.B, Object.keys(Merged).length]",
  "[ 1, 2, 4 ]"], [
  "const base3 = 2; enum Based { A = base3 * 2, B = A + 1 } namespace A3.B3 { export const x = base3 } "
  + "[Based.B, A3.B3.x]",
  "enum Later3 { X = base3 } [Later3.X, A3.B3.x + Based.A]",
  "[ 2, 6 ]",
], ["const enum Inlined { A = 7 } Inlined.A", "const inlined: Inlined = Inlined.A; inlined + 1", "8"], [
  "namespace Geo { export namespace Inner { export const pi = 3 } export function twice(x: number) { "
  + "return x * 2 } const hidden = 1; export let changed = hidden } Geo.changed++; [Geo.Inner.pi, "
  + "Geo.twice(2), Geo.changed]",
  "[ 3, 4, 2 ]",
], ["import Inner2 = Geo.Inner; Inner2.pi", "3"], ["declare module 'node:fs' { interface Stats { invented?: number } }",
  "import type { Stats } from 'node:fs'; const stats: Partial<Stats> = { invented: 1 }; stats.invented", "1"], [
  "declare global { interface Window2 { w: 1 } var globallyMine: number } globalThis.globallyMine = 12;",
  "globallyMine + 1",
  "13",
], ["/// <reference types='node' />\nprocess.argv.length > 0", "true"], [
  "// @ts-expect-error on purpose\nconst wrongly: number = 'text'; wrongly",
  "'text'",
], ["/** @type {number} */ let documented = 1; let definite!: string; [documented, definite]", "[ 1, undefined ]"], [
  "let x1: number | null = null; x1 = 5; x1!.toFixed(0)",
  "'5'",
]]);

cases("cells that build on each other, and change their mind", [[
  "let rate = 0.5; const scaled = (v: number) => v * rate; function useHelper() { return helper() + 1 "
  + "} function helper() { return 10 }",
  "rate = 2; [scaled(3), useHelper()]",
  "[ 6, 11 ]",
], ["function helper() { return 100 }", "useHelper()", "101"], [
  "const isEven = (n: number): boolean => n === 0 || isOdd(n - 1); const isOdd = (n: number): boolean "
  + "=> n !== 0 && isEven(n - 1); isEven(10)",
  "true",
], ["let data = [1, 2, 3]", "data = data.map((d) => d * 2)", "data.push(10); data", "[ 2, 4, 6, 10 ]"], [
  "let data = 'now text'",
  "data.length",
  "8",
], ["const fixed = 1", "const fixed = 2; fixed", "2"], ["import { basename as tool } from 'node:path'",
  "import { dirname as tool } from 'node:path'; tool('/a/b')", "'/a'"], [
  "class Model1 { version = 1 } const made1 = new Model1()",
  "class Model1 { version = 2 } [made1.version, new Model1().version, made1 instanceof Model1]",
  "[ 1, 2, false ]",
], [
  "const { layers, nested: { list: [head1 = 9, ...tail1] }, absent = 'd' } = { layers: 4, nested: { "
  + "list: [1, 2, 3] } } as { layers: number; nested: { list: number[] }; absent?: string }; [layers, "
  + "head1, tail1, absent]",
  "[ 4, 1, [ 2, 3 ], 'd' ]",
], ["let total1 = 0; [1, 2, 3].forEach((v) => (total1 += v)); total1", "6"], ["counter9 = 5",
  "!Cannot find name 'counter9'"], ["typeof undefinedThing === 'undefined'", "!Cannot find name"], [
  "let maybe: { a?: { b: number } } | undefined; maybe?.a?.b ?? 'none'",
  "'none'",
], ["maybe ??= { a: { b: 3 } }; maybe.a!.b **= 2; maybe.a?.b", "9"], [
  "const shadow = 1; { const shadow = 2; console.log(shadow) } console.log(shadow)",
  "~2 1",
], ["const fact = function self(n: number): number { return n <= 1 ? 1 : n * self(n - 1) }; fact(5)", "120"], [
  "async function later(v: number) { await null; return v * 2 } const both = await "
  + "Promise.all([later(1), later(2)]); both",
  "[ 2, 4 ]",
], ["const lazy = () => definedLater; const definedLater = 6;", "lazy()", "6"], [
  "var undeclared1; undeclared1 = 5; delete (globalThis as any).nothing; undeclared1",
  "5",
], ["try { missingAtRuntime() } catch (e) { console.log('caught') } function missingAtRuntime() { throw 1 }",
  "~caught"]]);

cases("imports in every form", [["import everything, * as whole from './lib'; [everything, whole.a]",
  "[ 'the default', 1 ]"], [
  "import { default as renamed, a as one1, type bump as Bump } from './lib.ts'; [renamed, one1]",
  "[ 'the default', 1 ]",
], ["import * as lib from './lib'; lib.bump(); lib.bump(); lib.count", "2"], [
  "import { count as live, bump as bumped } from './lib'; const seenBefore = live; bumped(); live - seenBefore",
  "1",
], ["bumped(); live - seenBefore", "2"], ["let live = 'mine'; live", "'mine'"], [
  "declare module './types' { interface Shape { corners?: number } }",
  "import type { Shape as Shape3 } from './types'; const shape3: Shape3 = { kind: 'k', corners: 4 }; shape3.corners",
  "4",
], ["import './side'; (globalThis as any).sides", "1"], [
  "import config from './config.json'; config.nested.list[1]! + config.layers",
  "6",
], ["import { name as configName } from './config.json'; configName", "'tiny'"], [
  "import config2 from './config.json' with { type: 'json' }; config2.name",
  "'tiny'",
], ["config.layres", "!Property 'layres' does not exist"], [
  "import { Level, Animal, type Shape, type Maybe } from './types'; const shape1: Maybe<Shape> = { "
  + "kind: 'k' }; class Dog extends Animal { name = 'dog' } [Level.High, shape1.kind, new Dog().name]",
  "[ 2, 'k', 'dog' ]",
], ["import type * as Types from './types'; const typed1: Types.Shape = { kind: 'z' }; typed1.kind", "'z'"], [
  "import add from './common.cjs'; add(1, 2)",
  "3",
], [
  "const { version } = require('./common.cjs'); const { join: joined } = require('node:path'); "
  + "[version, joined('a', 'b')]",
  "[ 3, 'a/b' ]",
], ["const fsp = await import('node:fs/promises'); (await fsp.readdir('.')).includes('config.json')", "true"], [
  "import fs, { readFileSync as rfs } from 'fs'; JSON.parse(rfs('config.json', 'utf8')).layers + "
  + "(fs.existsSync('lib.ts') ? 1 : 0)",
  "5",
], ["import { setTimeout as pause } from 'node:timers/promises'; await pause(1, 'paused')", "'paused'"], [
  "[import.meta.url.startsWith('file:///'), import.meta.url.endsWith('notebook.ts'), "
  + "decodeURI(import.meta.url).includes('my notebooks'), __dirname === process.cwd(), "
  + "__filename.startsWith(__dirname), import.meta.dirname === __dirname]",
  "[ true, true, true, true, true, true ]",
], ["export * from './lib'; export { a as exportedA } from './lib'; export * as everything2 from './lib'; 5", "5"], [
  "export type { Shape as S2 } from './types'; export const exported1 = 1, exported2 = 2; exported1 + exported2",
  "3",
], ["import { missing } from './lib'", "!has no exported member 'missing'"], ["import x9 from 'not-installed-at-all'",
  "!Cannot find module 'not-installed-at-all'"], ["await import('not-' + 'there' as string)",
  "!Cannot find package 'not-there'"], ["import { never } from './throws'; never", "!RangeError: while loading"], [
  "require('./no-such-file')",
  "!Cannot find module",
], ["require.resolve('node:fs')", "'node:fs'"], [
  "if (true) { const { sep } = await import('node:path'); console.log(sep) }",
  "~/",
]]);

cases("where the value of a cell is", [["const a7 = 1; a7 // with a comment", "1"], [
  "a7 /* inner */ + 1 /* and\nmore */;",
  "2",
], ["a7;;;", "1"], ["let assigned; assigned = 5", "5"], ["assigned += 2", "7"], ["assigned++", "7"], [
  "if (true) { 'inside' }",
  "~",
], ["try { 'inside' } finally {}", "~"], ["for (const q of [1]) q", "~"], ["function declaredLast() {}", "~"], [
  "void 0",
  "~",
], ["null", "null"], ["NaN", "NaN"], ["-0", "-0"], ["''", "''"], ["(console.log(1), 2)", "2"], [
  "await Promise.resolve('awaited')",
  "'awaited'",
], ["Promise.resolve(1)", "Promise { 1 } (await gives the value itself)"], ["async () => 1",
  "[AsyncFunction (anonymous)]"], ["(function named() {})", "[Function: named]"], ["class Shown {}; Shown",
  "[class Shown]"], ["Symbol('s')", "Symbol(s)"], ["10n ** 20n", "100000000000000000000n"], ["new Date(0)",
  "1970-01-01T00:00:00.000Z"], ["true && false || 'or'", "'or'"], ["x2: 5", "~"], ["'use strict'\n'last'", "'last'"], [
  "`multi\nline`",
  "'multi\\nline'",
], ["[1,2,3]\n  .map((v) => v * 2)\n  .filter(Boolean)", "[ 2, 4, 6 ]"], ["   ", "~"], ["", "~"], [";", "~"], [
  "debugger; 4",
  "4",
]]);

cases("what is not finished is refused, and what is odd is not", [["const open1 = [1, 2", "!SyntaxError"], [
  "const s = 'never closed",
  "!Unterminated string literal",
], ["`never closed", "!Unterminated template literal"], ["const f = (", "!SyntaxError"], ["let 1a = 2", "!SyntaxError"],
  ["function (", "!SyntaxError"], ["}", "!SyntaxError"], ["const c9;", "!'const' declarations must be initialized"], [
  "break",
  "!",
], ["class A9 { static { await 1 } }", "!"], ["function p9(a = await 1) {}", "!"], ["function notAsync() { await 1 }",
  "!'await' expressions are only allowed"], ["for (const a of 5) {}", "!"], [
  "const t9 = `${await Promise.resolve('in a template')}`; t9",
  "'in a template'",
], ["const o9 = { [await Promise.resolve('key')]: await 1, ...(await Promise.resolve({ more: 2 })) }; o9",
  "{ key: 1, more: 2 }"], ["class B9 extends (await Promise.resolve(Array)) { static made = 1 } new B9().length", "0"],
  [
    "const d9 = await (async () => { try { return await Promise.reject(new Error('no')) } catch { return "
    + "'handled' } })(); d9",
    "'handled'",
  ], ["(await import('node:os')).EOL.length", "1"], ["const 名前 = 'x', $_ = 1, \\u0061bc = 2; [名前, $_, abc]",
  "[ 'x', 1, 2 ]"], ["#!/usr/bin/env tsx\n'hashbang'", "'hashbang'"], [
  "using r9 = { [Symbol.dispose]() {} }; for (let i = 0; i < 2; i++) { using inner = { "
  + "[Symbol.dispose]() { console.log('closed', i) } } }",
  "~closed 0 closed 1",
], ["eval('1 + 1')", "2"], ["new Function('a', 'b', 'return a + b')(1, 2)", "3"], [
  "Function.prototype.call.call(function (this: any) { return this }, 5)",
  "5",
], ["label9: { console.log('in'); break label9; }", "~in"], ["var let1 = 1, yield1 = 2; let1 + yield1", "3"]]);

cases("errors, as they come", [["throw new Error('outer', { cause: new TypeError('inner') })", "!Error: outer"], [
  "throw { code: 5 }",
  "!object: { code: 5 }",
], ["throw 'only text'", "!string: "], ["throw Symbol('thrown')", "!symbol: Symbol(thrown)"], [
  "await Promise.reject(new SyntaxError('rejected'))",
  "!SyntaxError: rejected",
], ["await Promise.any([Promise.reject(1), Promise.reject(2)])", "!AggregateError: All promises were rejected"], [
  "JSON.parse('{ bad')",
  "!SyntaxError: ",
], ["(null as any).x", "!TypeError: Cannot read properties of null"], ["new Array(-1)",
  "!RangeError: Invalid array length"], ["decodeURIComponent('%')", "!URIError"], [
  "const frozen = Object.freeze({ a: 1 }); (frozen as any).a = 2",
  "!TypeError: Cannot assign to read only property",
], [
  "class Coded extends Error { constructor(readonly code: number) { super(`code ${code}`); this.name = "
  + "'Coded' } } throw new Coded(7)",
  "!Coded: code 7",
], [
  "const late9 = Promise.reject(new Error('handled later')); await new Promise((r) => setTimeout(r, "
  + "5)); late9.catch(() => 'ok'); 'went on'",
  "'went on'",
], ["structuredClone(() => 1)", "!DataCloneError"], ["1 + 1", "2"]]);

cases("values that are hard to look at", [["const cyclic: any = { name: 'c' }; cyclic.self = cyclic; cyclic",
  "<ref *1> { name: 'c', self: [Circular *1] }"], ["new Map<any, any>([['k', new Set([1])], [{ a: 1 }, null]])",
  "Map(2) { 'k' => Set(1) { 1 }, { a: 1 } => null }"], ["new Float32Array([1.5, 2])", "Float32Array(2) [ 1.5, 2 ]"], [
  "new BigInt64Array(2)",
  "BigInt64Array(2) [ 0n, 0n ]",
], ["Buffer.from('hi')", "<Buffer 68 69>"], [
  "new (class { toString() { throw new Error('no text') } get bad() { throw new Error('no value') } a = 1 })()",
  "{ a: 1 }",
], ["({ get lazy() { return 1 }, set only(v: number) {} })", "{ lazy: [Getter], only: [Setter] }"], [
  "new Proxy({ a: 1 }, { get() { throw new Error('trap') }, ownKeys() { throw new Error('keys') } })",
  "!Error: trap",
], ["Object.create(null, { x: { value: 1, enumerable: true } })", "[Object: null prototype] { x: 1 }"], [
  "[undefined, , null, NaN, -0]",
  "[ undefined, <1 empty item>, null, NaN, -0 ]",
], ["[new WeakMap(), new WeakSet()].length", "2"], ["new Error('shown, not thrown').message", "'shown, not thrown'"], [
  "Object.assign(() => 1, { extra: 2 })",
  "[Function (anonymous)] { extra: 2 }",
], ["globalThis === global", "true"], ["new URL('https://a.example/p?q=1').searchParams.get('q')", "'1'"], [
  "'x'.repeat(50_000).length",
  "50000",
], ["Array.from({ length: 3 }, (_, i) => ({ i }))", "[ { i: 0 }, { i: 1 }, { i: 2 } ]"], [
  "new (class Point { constructor(public x = 1, private y = 2) {} })()",
  "Point { x: 1, y: 2 }",
], ["new (class extends Array<number> {})(1, 2)", "[ 1, 2 ]"], ["[Symbol.iterator, /a/gi, new Date(NaN)]",
  "[ Symbol(Symbol.iterator), /a/gi, Invalid Date ]"]]);

cases("everything that the console can do", [["console.log('%s is %d years and %o', 'Bob', 42, { a: 1 }, 'extra')",
  "~Bob is 42 years and { a: 1 } extra"], [
  "console.group('outer'); console.log('inner'); console.groupEnd(); console.log('back')",
  "~outer   inner back",
], ["console.table(['b'])",
  "~┌─────────┬────────┐ │ (index) │ Values │ ├─────────┼────────┤ │ 0       │ 'b'    │ └─────────┴────────┘"], [
  "console.count(); console.count('x'); console.count(); console.countReset(); console.count()",
  "~default: 1 x: 1 default: 2 default: 1",
], [
  "console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 }); console.assert(true, 'unseen'); "
  + "console.debug('debug'); console.info('info')",
  "~{ a: [Object] } debug info",
], ["process.stdout.write('no'); void process.stdout.write(' newline')", "~no newline"], [
  "import { Console } from 'node:console'; new Console(process.stdout).log('own console')",
  "~own console",
]]);

test("what the console tells as an error goes to stderr", async () => {
  const { stderr, stdout } = await session.run(
    "console.error('error'); console.warn('warn'); console.assert(1 > 2, 'assertion'); "
      + "console.trace('here'); console.time('t'); console.timeEnd('t')",
  );
  for (const told of ["error\n", "warn\n", "Assertion failed: assertion", "Trace: here\n    at Cell ["])
    assert.ok(stderr.includes(told), `${told}\n${stderr}`);
  assert.match(stdout, /^t: [\d.]+ms/);
});

cases("Node, as in any program", [[
  "import { createServer } from 'node:http'; import type { AddressInfo } from 'node:net'; const web = "
  + "createServer((_, response) => response.end(JSON.stringify({ ok: 1 }))); await new Promise<void>((r) "
  + "=> web.listen(0, r)); const fetched = await (await fetch(`http://127.0.0.1:${(web.address() as "
  + "AddressInfo).port}`)).json(); web.close(); fetched",
  "{ ok: 1 }",
], [
  "import { Worker } from 'node:worker_threads'; import { once } from 'node:events'; const worker = "
  + "new Worker('require(\"node:worker_threads\").parentPort.postMessage(6 * 7)', { eval: true }); "
  + "(await once(worker, 'message'))[0]",
  "42",
], [
  "import { Readable, Transform } from 'node:stream'; import { pipeline } from 'node:stream/promises'; "
  + "const upper: string[] = []; await pipeline(Readable.from(['a', 'b']), new Transform({ objectMode: "
  + "true, transform(c, _, done) { done(null, String(c).toUpperCase()) } }), async (from) => { for await "
  + "(const c of from) upper.push(c) }); upper",
  "[ 'A', 'B' ]",
], [
  "import { createInterface } from 'node:readline'; import { createReadStream } from 'node:fs'; let "
  + "lines9 = 0; for await (const line of createInterface({ input: createReadStream('throws.ts') })) "
  + "lines9++; lines9",
  "3",
], [
  "import { AsyncLocalStorage } from 'node:async_hooks'; const store = new "
  + "AsyncLocalStorage<number>(); await store.run(5, async () => { await null; return store.getStore() })",
  "5",
], ["import { createHash } from 'node:crypto'; createHash('sha1').update('x').digest('hex').slice(0, 8)", "'11f6ad8e'"],
  [
    "import { promisify } from 'node:util'; import { exec } from 'node:child_process'; (await "
    + "promisify(exec)('echo shell')).stdout",
    "'shell\\n'",
  ], [
  "import { EventEmitter } from 'node:events'; class Bus extends EventEmitter<{ hit: [number] }> {} "
  + "const bus = new Bus(); let hits = 0; bus.on('hit', (n) => (hits += n)); bus.emit('hit', 3); hits",
  "3",
], [
  "const channel = new MessageChannel(); const heard = new Promise((r) => "
  + "channel.port1.once('message', r)); channel.port2.postMessage('over'); const over = await heard; "
  + "channel.port1.close(); over",
  "'over'",
], [
  "const abort = AbortSignal.timeout(5); await new Promise((_, no) => abort.addEventListener('abort', "
  + "() => no(abort.reason)))",
  "!TimeoutError",
], ["process.once('exit', () => {}); process.env.NOTEBOOK_HABIT = 'set'; process.env.NOTEBOOK_HABIT", "'set'"], [
  "performance.now() > 0 && performance.mark('m').name",
  "'m'",
], ["const wasm = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); WebAssembly.Module.exports(wasm)",
  "[]"], ["new TextDecoder().decode(new TextEncoder().encode('ü'))", "'ü'"], [
  "[1, 2, 3].toSorted((a, b) => b - a).with(0, 9).at(-1)",
  "1",
]]);

test("what a cell leaves running does not disturb the next, and ends when told", async () => {
  await session.run("let beats = 0; const beating = setInterval(() => beats++, 2)");
  await sleep(50);
  const { value } = await session.run("clearInterval(beating); beats > 0");
  assert.is(value, "true");
  const stuck = await session.run(
    "process.on('uncaughtException', () => console.log('seen by the cell')); setTimeout(() => { throw "
      + "new Error('late') }, 5)",
  );
  await until(() => stuck.stdout !== "");
  assert.is(await given("process.removeAllListeners('SIGUSR2'); 'alive'"), "'alive'");
});

test("partial lines, carriage returns and colours arrive as they were written", async () => {
  const { stdout } = await session.run(
    "for (let i = 0; i < 3; i++) process.stdout.write(`\\r${i}`); process.stdout.write('\\n\\u001b[31mred\\u001b[0m')",
  );
  assert.match(stdout, /(2|\r2)\n\u001b\[31mred\u001b\[0m$/);
});

test("an error while a module loads names the module's line", async () => {
  session.write("fails2.ts", "type Nothing = 1;\n\nexport const x: number = JSON.parse('{');");
  const { content } = await session.run("import { x } from './fails2'");
  assert.match(content.traceback.join("\n"), /fails2\.ts:3:\d+/);
});

test("an error with a cause shows both, one of many shows all", async () => {
  const caused =
    (await session.run("try { JSON.parse('{') } catch (cause) { throw new Error('reading failed', { cause }) }"))
      .content.traceback.join("\n");
  assert.match(caused, /reading failed[\s\S]*\[cause\]: SyntaxError/);
  const many = (await session.run("throw new AggregateError([new Error('one'), new TypeError('two')], 'several')"))
    .content.traceback.join("\n");
  assert.match(many, /several[\s\S]*one[\s\S]*TypeError: two/);
});

test("an edited module is read again by a dynamic import too", async () => {
  session.write("changing.ts", "export const value = 1;");
  assert.is(await given("(await import('./changing')).value"), "1");
  await sleep(20);
  session.write("changing.ts", "export const value = 22;");
  assert.is(await given("(await import('./changing.ts')).value"), "22");
});

test.run();

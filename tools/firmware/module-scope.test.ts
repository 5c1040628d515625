import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../program.ts";
import { findModuleScopeState, tableMark } from "./module-scope.ts";

/** What a microcontroller may preload: the portable packages, less their tests, Node's hosts and the simulators. */
const sources = globSync("packages/{core,device,secure-element}/src/**/*.ts", { cwd: ROOT })
  .filter((path) => !/\.test\.ts$|\/host\/node\/|\/sim\//.test(path))
  .sort();

test("no module that a microcontroller preloads keeps anything at its top that is written later", () => {
  const findings = sources.flatMap((path) =>
    findModuleScopeState(readFileSync(join(ROOT, path), "utf8")).map(
      ({ line, what }) =>
        `${path}:${line} ${what}: allocate it in a constructor, or mark a table: ${tableMark}`,
    ),
  );

  assert.ok(sources.length > 100);
  assert.deepEqual(findings, []);
});

test("buffers, collections, variables and empty literals are found at the top of a module, and nowhere else", () => {
  const whats = (source: string): readonly string[] => findModuleScopeState(source).map(({ what }) => what);

  assert.deepEqual(whats("const scratch = new Uint32Array(64);"), ["new Uint32Array"]);
  assert.deepEqual(whats("export const seen: Map<string, number> = new Map();"), ["new Map"]);
  assert.deepEqual(whats("const frozen = freeze(new Set());"), ["new Set"]);
  assert.deepEqual(whats("let count = 0;"), ["let"]);
  assert.deepEqual(whats("const queue: number[] = [];\nconst by = {};"), ["= []", "= {}"]);
  assert.deepEqual(whats("class A { static readonly #all = new Set(); #own = new Set(); }"), ["new Set"]);

  assert.deepEqual(whats("class A { #own = new Uint8Array(4); static of() { return new Map(); } }"), []);
  assert.deepEqual(whats("const make = () => new Uint8Array(4);\nfunction f(a = {}) { let b = []; }"), []);
  assert.deepEqual(whats("const table = [1, 2];\nconst words = { a: 1 };"), []);
  assert.deepEqual(whats(`// new Map()\nconst text = "let x = new Map()";`), []);
  assert.deepEqual(whats(`${tableMark}\nconst k = new Uint32Array([1, 2]);`), []);
});

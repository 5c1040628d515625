/** docs/dependencies.md against the manifests: nothing undeclared, nothing left over, in the tables that fit. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tools/program.ts";

type Manifest = {
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

const readManifest = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8")) as Manifest;
const packages = globSync("packages/*/package.json", { cwd: ROOT }).map(readManifest);
const root = readManifest("package.json");
/** Engines that tests run code in: packages of their own, installed apart. */
const engines = globSync("engines/*/package.json", { cwd: ROOT }).map(readManifest);

function outsideNames(
  ...lists: readonly (Readonly<Record<string, string>> | undefined)[]
): readonly string[] {
  const names = lists.flatMap((list) => Object.keys(list ?? {}));
  return [...new Set(names)].filter((name) => !name.startsWith("@mayfly/")).sort();
}

/** The names in the first column of the table under a heading. */
function namesUnder(heading: string): readonly string[] {
  const document = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8");
  const section = document.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  return [...section.matchAll(/^\| \[([^\]]+)\]/gm)].map(([, name = ""]) => name).sort();
}

test("what ships is what the packages depend on", () => {
  assert.deepEqual(
    namesUnder("What ships"),
    outsideNames(...packages.map((manifest) => manifest.dependencies)),
  );
});

test("what a user may add is what the packages name as optional peers", () => {
  assert.deepEqual(
    namesUnder("What a user may add"),
    outsideNames(...packages.map((manifest) => manifest.peerDependencies)),
  );
});

test("what we build and test with is what the house depends on for development", () => {
  const lists = [
    root.devDependencies,
    root.dependencies,
    ...[...packages, ...engines].map((manifest) => manifest.devDependencies),
  ];

  assert.deepEqual(namesUnder("What we build and test with"), outsideNames(...lists));
});

test("every outside version is pinned exactly", () => {
  const lists = [root, ...engines]
    .map((manifest) => manifest.devDependencies)
    .concat(packages.map((manifest) => manifest.dependencies));
  const loose = lists
    .flatMap((list) => Object.entries(list ?? {}))
    .filter(([, range]) => !/^\d+\.\d+\.\d+$/.test(range));

  assert.deepEqual(loose, []);
});

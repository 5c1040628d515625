/**
 * The border check on the real tree: reads every source of the house and prints each broken rule's sentence.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { ROOT } from "../program.ts";
import { findBreaches, formatBreach, type Manifest, type Tree } from "./check.ts";

const SOURCES = ["packages/*/{src,test,bench}/**/*.ts", "{bench,test,tools}/**/*.{ts,mjs}"];

/** Reads the tree from disk. */
export function readTree(): Tree {
  const find = (pattern: string) => globSync(pattern, { cwd: ROOT }).map((path) => path.split(sep).join("/"));
  const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
  const manifests = ["package.json", ...find("packages/*/package.json")];
  return {
    sources: new Map(SOURCES.flatMap(find).map((path) => [path, read(path)])),
    manifests: new Map(
      manifests.map((path) => [
        path === "package.json" ? "" : dirname(path),
        JSON.parse(read(path)) as Manifest,
      ]),
    ),
  };
}

/** @returns the breaches of the real tree, a line each; empty when there is none. */
export function checkBorders(): string {
  return findBreaches(readTree()).map(formatBreach).join("\n");
}

if (import.meta.main) {
  const messages = checkBorders();
  console.log(messages === "" ? "borders: nothing is broken" : messages);
  process.exitCode = messages === "" ? 0 : 1;
}

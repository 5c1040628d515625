import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type CloseReason, closeReasons, reasonOnWire } from "./close-reason.ts";

// docs/reference/mqtt.md names tests and Reason Codes; this holds it to those that exist. That it leaves no property and
// no statement of the standard out is held by the codec's test of that page.

const root = join(import.meta.dirname, "../../../..");
const page = readFileSync(join(root, "docs/reference/mqtt.md"), "utf8");
const folders = ["packages/core/src/mqtt", "packages/server/src/mqtt", "test/process"];

/** Test files by their name without `.test.ts`. */
function testFiles(): ReadonlyMap<string, string> {
  const names = folders.flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)),
  );
  return new Map(
    names
      .filter((path) => path.endsWith(".test.ts"))
      .map((path) => [path.replace(/^.*\/|\.test\.ts$/g, ""), readFileSync(join(root, path), "utf8")]),
  );
}

/** Each test the page names: its file, and how its name begins, or how the row that names it does. */
function references(): readonly (readonly [file: string, beginning: string])[] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.endsWith(" |"))
    .map((line) => line.slice(line.lastIndexOf(" | ") + 3, -2))
    .flatMap((cell) => cell.split("<br>"))
    .flatMap((one) => {
      const found = /^`([\w.-]+)` (.+?)…?$/.exec(one);
      return found === null ? [] : [[found[1] ?? "", found[2] ?? ""] as const];
    });
}

test("every test that the page names exists: a title, or a row of a table of tests, begins so", () => {
  const files = testFiles();
  const named = references();

  const missing = named.filter(([file, beginning]) => {
    const name = beginning.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    // A title; the first text of a row, behind the version where there is one; or a row's member of that name.
    const begins = new RegExp(`(?:test\\(\\s*|\\[\\s*(?:[45],\\s*)?|breach: )["\`]${name}`);
    return !begins.test(files.get(file) ?? "");
  });

  assert.deepEqual(missing, []);
  assert.ok(named.length > 100);
  for (const [, beginning] of named) assert.ok(beginning.length >= 8, beginning);
});

test("every row of the page that says what the bridge does names its test", () => {
  const start = page.indexOf("\n## Properties\n");
  const end = page.indexOf("\n## Statements that do not apply\n");
  const rows = page
    .slice(start, end)
    .split("\n")
    .filter((line) => /^\| (0x|\d)/.test(line));

  const bare = rows.filter(
    (line) => !/ \| `[\w-]+` .+ \|$/.test(line) && !line.endsWith(" | never sent | – |"),
  );

  assert.deepEqual(bare, []);
  assert.ok(rows.length > 60);
});

test("the page has each Reason Code of a DISCONNECT we send, with the causes it stands for", () => {
  const start = page.indexOf("\n### DISCONNECT\n");
  const rows = page
    .slice(start, page.indexOf("\n##", start + 1))
    .split("\n")
    .filter((line) => line.startsWith("| 0x"))
    .map((line) => line.split(" | "));

  const found = rows.flatMap(([code = "", causes = ""]) =>
    [...causes.matchAll(/`(\w+)`/g)].map(([, cause]) => `${code.slice(2)} ${cause}`),
  );

  const wanted = (Object.keys(closeReasons) as CloseReason[]).flatMap((reason) => {
    const { mqtt5 } = reasonOnWire(reason);
    return mqtt5 === undefined ? [] : [`0x${mqtt5.toString(16).toUpperCase()} ${reason}`];
  });
  assert.deepEqual(found.toSorted(), wanted.toSorted());
});

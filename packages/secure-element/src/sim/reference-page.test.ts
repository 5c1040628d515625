import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as doubts from "./doubts.ts";
import { opcodesNotDone } from "./opcodes.ts";

// docs/reference/atecc608-simulator.md names tests and constants; this holds it to those that exist. The table of
// commands is held by `behaviour.test.ts`.

const page = readFileSync(
  new URL("../../../../docs/reference/atecc608-simulator.md", import.meta.url),
  "utf8",
);

/** Names written out, and names made from a template, as patterns. */
function testNames(): readonly RegExp[] {
  const folder = new URL("./", import.meta.url);
  const sources = readdirSync(folder).filter((file) => file.endsWith(".test.ts"));
  return sources.flatMap((file) => {
    const text = readFileSync(new URL(file, folder), "utf8");
    return [...text.matchAll(/^ *test\(\s*(["`])(.+?)\1/gm)].map((found) => {
      const literal = (found[2] ?? "")
        .split(/\$\{.+?\}/)
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      return new RegExp(`^${literal.join(".+")}$`);
    });
  });
}

test("every test that the reference page names exists", () => {
  const names = testNames();
  const rows = page.split("\n").filter((line) => line.startsWith("| ") && line.endsWith("` |"));
  const named = rows
    .map((line) => line.slice(line.lastIndexOf("| `") + 3, -3))
    .filter((name) => !/ \/ .+ \/ /.test(name));

  const missing = named.filter((name) => !names.some((pattern) => pattern.test(name)));

  assert.deepEqual(missing, []);
  assert.ok(named.length > 30);
});

test("every doubt has its row on the reference page, and every row its constant", () => {
  const section = page.slice(page.indexOf("## Doubtful"));

  const rows = [...section.matchAll(/^\| `(\w+)` \|/gm)].map((found) => found[1]);

  assert.deepEqual(rows.toSorted(), Object.keys(doubts).toSorted());
});

test("every opcode known by name and not done is on the reference page", () => {
  const section = page.slice(page.indexOf("## Not done"), page.indexOf("## Doubtful"));

  const missing = opcodesNotDone.filter(
    ({ opcode, name }) =>
      !section.includes(`${name} (\`${opcode.toString(16).padStart(2, "0").toUpperCase()}\`)`),
  );

  assert.deepEqual(missing, []);
});

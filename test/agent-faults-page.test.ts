/**
 * The page on faults names tests that exist; what it quotes is held by those tests themselves (`support/faults-page.ts`).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { faultRows } from "./support/faults-page.ts";

const files = ["process/agent-faults.test.ts", "process/agent-time-faults.test.ts", "agent-outage.test.ts"];

/** Names written out, and names made from a template, as patterns. */
function testNames(): readonly RegExp[] {
  return files.flatMap((file) => {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    return [...text.matchAll(/^ *test\(\s*(["`])(.+?)\1/gm)].map(([, , name = ""]) => {
      const literal = name.split(/\$\{.+?\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      return new RegExp(`^${literal.join(".+")}$`);
    });
  });
}

test("every test that the page on faults names exists, and every test of a fault has its row", () => {
  const names = testNames();
  const rows = faultRows.map(({ test: name }) => name);

  const missing = rows.filter((row) => !names.some((name) => name.test(row)));
  const untold = names.filter((name) => !rows.some((row) => name.test(row))).map(String);

  assert.deepEqual([missing, untold], [[], []]);
  assert.ok(faultRows.every(({ says }) => says.length > 0));
  assert.ok(rows.length >= 17);
});

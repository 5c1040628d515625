import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), "utf8");

test("every test that docs/reference/clock.md names for the simulator exists", () => {
  const page = read("../../../../../../docs/reference/clock.md");
  const section = page.slice(page.indexOf("### The simulator"), page.indexOf("**Nothing here was compared"));
  const named = [...section.matchAll(/^\| .+ \| `(.+?)`.* \|$/gm)].map(([, name = ""]) => name);
  const tests = read("./ds3231-sim.test.ts");

  // A name stands as a test's own or in the table of carries, always in double quotes.
  const missing = named.filter((name) => !tests.includes(`"${name}"`));

  assert.deepEqual(missing, []);
  assert.equal(named.length, 13);
});

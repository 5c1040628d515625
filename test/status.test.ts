/** docs/status.md says what is built and which test shows it: the tests it names must be there. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tools/program.ts";

const STATES = ["done", "partly", "not done", "seen, not asserted", "can't be shown here"];

const document = readFileSync(join(ROOT, "docs/status.md"), "utf8");
const rows = [...document.matchAll(/^\| (.+?) \| (.+?) \| (.+) \|$/gm)]
  .map(([, what = "", state = "", shownBy = ""]) => ({ what, state, shownBy }))
  .filter(({ what }) => what !== "what");
const namesOf = (shownBy: string) =>
  [...shownBy.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+\.(?:test|contract)\.ts)\)/g)].map(
    ([, name = "", file = ""]) => ({ name: name.replace(/^…/, ""), file }),
  );

test("every test that docs/status.md names stands in its file by that name", () => {
  const named = rows.flatMap(({ shownBy }) => namesOf(shownBy));
  const gone = named.filter(
    ({ name, file }) =>
      !existsSync(join(ROOT, file)) || !readFileSync(join(ROOT, file), "utf8").includes(name),
  );

  assert.ok(named.length > 100, `${named.length} tests are named`);
  assert.deepEqual(gone, []);
});

test("every row of docs/status.md has one of the known states, and a done one names a test", () => {
  const odd = rows.filter(
    ({ state, shownBy }) => !STATES.includes(state) || (state === "done" && namesOf(shownBy).length === 0),
  );

  assert.ok(rows.length > 50, `${rows.length} rows`);
  assert.deepEqual(odd, []);
});

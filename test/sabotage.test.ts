/**
 * The promises of docs/promises.md: each is broken in a copy of the tree, and its test must fail.
 *
 * Here run the quick rows whose test is one of a package; the slow ones, and those that start the whole server
 * (kill -9, strace), are run by `npm run sabotage`, which runs all.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ROOT } from "../tools/program.ts";
import { SabotagedTree } from "../tools/sabotage/engine.ts";
import { writePromises } from "../tools/sabotage/promises-table.ts";
import { sabotages } from "../tools/sabotage/table.ts";

test("docs/promises.md shows the table of sabotages as it is (npm run sabotage -- --write)", () => {
  const document = readFileSync(join(ROOT, "docs/promises.md"), "utf8");

  assert.equal(document, writePromises(document, sabotages));
});

test("the text each sabotage replaces stands in its file exactly once", () => {
  const gone = sabotages.filter(
    ({ file, find }) => readFileSync(join(ROOT, file), "utf8").split(find).length !== 2,
  );

  assert.deepEqual(gone, []);
});

const quick = sabotages.filter(({ test: file, isSlow }) => file.startsWith("packages/") && isSlow !== true);

// Two copies of the tree are broken side by side. Rows proved by one file stay together: its untouched run is shared.
const files = [...new Set(quick.map(({ test: file }) => file))];
describe("sabotage", { concurrency: 2 }, () => {
  for (const half of [0, 1]) {
    const rows = quick.filter(({ test: file }) => files.indexOf(file) % 2 === half);
    const tree = new SabotagedTree(ROOT, rows);
    after(() => tree.remove());
    describe(`half ${half + 1}`, { concurrency: 1 }, () => {
      for (const sabotage of rows) {
        test(`the tests notice who would ${sabotage.deed}`, async () => {
          const outcome = await tree.try(sabotage);

          assert.deepEqual(outcome, { kind: "noticed" });
        });
      }
    });
  }
});

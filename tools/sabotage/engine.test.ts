import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { countTests, SabotagedTree } from "./engine.ts";
import type { Sabotage } from "./table.ts";

const root = mkdtempSync(join(tmpdir(), "mayfly-sabotage-test-"));
mkdirSync(join(root, "packages/gate/src"), { recursive: true });
mkdirSync(join(root, "node_modules/@mayfly"), { recursive: true });
writeFileSync(
  join(root, "packages/gate/package.json"),
  `{"name":"@mayfly/gate","type":"module","exports":"./src/gate.ts"}`,
);
writeFileSync(
  join(root, "packages/gate/src/gate.ts"),
  `export function isOpen(hour: number): boolean {\n  if (hour < 8) return false;\n  return true;\n}\n`,
);
writeFileSync(
  join(root, "packages/gate/src/gate.test.ts"),
  `import assert from "node:assert/strict";
   import { test } from "node:test";
   import { isOpen } from "@mayfly/gate";
   test("the gate is shut at night (before 8)", () => assert.equal(isOpen(3), false));
   test("the gate is open at noon", () => assert.equal(isOpen(12), true));
   test("the gate never rusts", () => assert.fail("it did"));`,
);
const tree = new SabotagedTree(root);
after(() => {
  tree.remove();
  rmSync(root, { recursive: true });
});

const row: Sabotage = {
  promise: "The gate is shut at night.",
  deed: "leave it open",
  file: "packages/gate/src/gate.ts",
  find: "return false;",
  replace: "return true;",
  test: "packages/gate/src/gate.test.ts",
  name: "the gate is shut at night (",
};

test("a test that fails under its sabotage has noticed it, through the package's own front door", async () => {
  assert.deepEqual(await tree.try(row), { kind: "noticed" });
});

test("a test that passes all the same lets the sabotage survive", async () => {
  assert.deepEqual(await tree.try({ ...row, name: "the gate is open at noon" }), { kind: "survived" });
});

test("a text that no longer stands in the source breaks the row", async () => {
  const outcome = await tree.try({ ...row, find: "return maybe;" });

  assert.deepEqual(outcome, {
    kind: "row_broken",
    because: "the text to replace stands 0 times in packages/gate/src/gate.ts, not once",
  });
});

test("a text that stands more than once breaks the row", async () => {
  assert.equal((await tree.try({ ...row, find: "return" })).kind, "row_broken");
});

test("a row whose test is not there, or fails anyway, is broken", async () => {
  assert.equal((await tree.try({ ...row, name: "the gate has a bell" })).kind, "row_broken");
  assert.equal((await tree.try({ ...row, name: "the gate never rusts" })).kind, "row_broken");
});

test("a sabotage that leaves no program to run proves nothing", async () => {
  assert.equal((await tree.try({ ...row, replace: "return (" })).kind, "row_broken");
});

test("every promise is mended before the next, and the tree we came from is never touched", async () => {
  await tree.try(row);

  const original = readFileSync(join(root, row.file), "utf8");
  assert.equal(readFileSync(join(tree.folder, row.file), "utf8"), original);
  assert.match(original, /return false;/);
});

test("skipped tests count as neither, also below a suite", () => {
  const tap = ["    ok 1 - a # SKIP no strace", "    ok 2 - a \\# b", "not ok 3 - a c", "ok 4 - b"].join(
    "\n",
  );

  assert.deepEqual(countTests(tap, "a"), { passed: 1, failed: 1 });
});

/** The house's own checks as tests: what `npm run check` does, counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBorders } from "./border/main.ts";
import { lint } from "./lint.ts";
import { findTsconfigs, typecheck } from "./typecheck.ts";

test("Biome finds nothing to say about format and lint", async () => {
  const messages = await lint();

  assert.ok(messages === "", messages);
});

test("no import and no touch of the machine breaks a border of the doors table", () => {
  const messages = checkBorders();

  assert.ok(messages === "", messages);
});

for (const tsconfig of findTsconfigs()) {
  test(`${tsconfig} compiles under the strictest flags`, async () => {
    const messages = await typecheck(tsconfig);

    assert.ok(messages === "", messages);
  });
}

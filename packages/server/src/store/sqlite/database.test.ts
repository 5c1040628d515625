import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSqliteVersion } from "./database.ts";

test("a SQLite older than 3.51.3 is refused with a sentence, this one and later ones are not", () => {
  for (const old of ["3.51.2", "3.50.9", "2.99.99", "3"]) {
    assert.throws(() => checkSqliteVersion(old), {
      code: "store_failed",
      message: `SQLite ${old} is too old: Mayfly needs 3.51.3 or later, as Node 24's and 26's current releases have`,
    });
  }
  for (const good of ["3.51.3", "3.52.0", "4.0.0"]) assert.doesNotThrow(() => checkSqliteVersion(good));
  assert.doesNotThrow(() => checkSqliteVersion());
});

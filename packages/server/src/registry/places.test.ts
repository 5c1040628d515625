import assert from "node:assert/strict";
import { test } from "node:test";
import { createPlaces } from "./places.ts";

test("any location is open unless the operator closes that too", () => {
  const open = createPlaces({ projects: ["mayfly"] });
  const closed = createPlaces({ projects: ["mayfly"], locations: ["lab", "field"] });

  assert.doesNotThrow(() => open.checkLocation("mayfly", "anywhere"));
  assert.doesNotThrow(() => closed.checkLocation("mayfly", "field"));
  assert.throws(() => closed.checkLocation("mayfly", "anywhere"), {
    code: "not_found",
    message: "Location 'anywhere' not found; this server has {lab,field}.",
  });
});

test("a project that is not served is refused with the list, before its location is looked at", () => {
  const places = createPlaces({ projects: ["mayfly", "greenhouse"] });

  assert.throws(() => places.checkLocation("mayfyl", "!"), {
    code: "not_found",
    message: "Project 'mayfyl' not found; this server has {mayfly,greenhouse}.",
  });
});

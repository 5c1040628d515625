import assert from "node:assert/strict";
import { test } from "node:test";
import { Standing } from "./standing.ts";

const refusal = { action: "mint", sentence: "not authorized" } as const;

test("how far the clock is off is said until a token is taken, also after refusals that tell no time", () => {
  const standing = new Standing(() => {});
  standing.refused(0x87, refusal, {}, -120);

  standing.fail("network", "bridge_disconnected");
  standing.refused(0x87, refusal, {});

  assert.equal(standing.facts(0).trouble?.clockAheadSeconds, -120);
  standing.mended();
  standing.refused(0x87, refusal, {});
  assert.equal(standing.facts(0).trouble?.clockAheadSeconds, undefined);
});

test("a trouble of another kind says nothing of the clock", () => {
  const standing = new Standing(() => {});
  standing.refused(0x87, refusal, {}, -120);

  standing.fail("network", "ECONNREFUSED");

  assert.deepEqual(standing.facts(0).trouble, { because: "network", detail: "ECONNREFUSED" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import fc from "fast-check";
import { drawRenewalSeconds } from "./renewal.ts";

test("an hour's token is renewed between 50 and 55 minutes, whatever the draw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (draw) => {
      const random: Random = {
        fill(bytes) {
          bytes.set(draw);
          return bytes;
        },
      };

      const due = drawRenewalSeconds(3600, random);

      assert.ok(due >= 3000 && due < 3300);
    }),
  );
});

test("a minute's token is renewed between 50 and 55 seconds", () => {
  const earliest = drawRenewalSeconds(60, { fill: (bytes) => bytes.fill(0) });
  const latest = drawRenewalSeconds(60, { fill: (bytes) => bytes.fill(0xff) });

  assert.equal(earliest, 50);
  assert.ok(latest > 54.99 && latest < 55);
});

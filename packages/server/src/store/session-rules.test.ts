import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keptCommandsMax, keptPacketIdentifierMax } from "../registry/session-store.ts";
import { findFreePacketIdentifier, packetIdentifierAfter } from "./session-rules.ts";

const packetIdentifiers = fc.integer({ min: 1, max: keptPacketIdentifierMax });

test("Packet Identifiers are given one after the other, every one of them, and then from 1 again", () => {
  const given: number[] = [];
  let turn = 1;
  for (let n = 0; n <= keptPacketIdentifierMax; n += 1) {
    const packetIdentifier = findFreePacketIdentifier(turn, new Set());
    given.push(packetIdentifier);
    turn = packetIdentifierAfter(packetIdentifier);
  }

  const all = Array.from({ length: keptPacketIdentifierMax }, (_, n) => n + 1);
  assert.deepEqual(given, [...all, 1]);
});

test("a Packet Identifier in use is passed over, and no other", () => {
  const crowds = fc.tuple(
    packetIdentifiers,
    packetIdentifiers,
    fc.nat(keptCommandsMax),
    fc.array(packetIdentifiers),
  );
  fc.assert(
    fc.property(crowds, ([turn, start, count, scattered]) => {
      // A run of neighbours around the end, which random numbers alone would never make.
      const run = Array.from({ length: count }, (_, n) => ((start + n) % keptPacketIdentifierMax) + 1);
      const inUse = new Set([...run, ...scattered]);

      const found = findFreePacketIdentifier(turn, inUse);

      assert.ok(!inUse.has(found) && found >= 1 && found <= keptPacketIdentifierMax);
      const passedOver = (found - turn + keptPacketIdentifierMax) % keptPacketIdentifierMax;
      for (let n = 0; n < passedOver; n += 1) {
        assert.ok(inUse.has(((turn - 1 + n) % keptPacketIdentifierMax) + 1));
      }
    }),
  );
});

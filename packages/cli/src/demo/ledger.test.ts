import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLedger, UNDELIVERED_MAX } from "./ledger.ts";

const settleMillis = 5_000;

test("an acknowledged message that the subscription never gives out is lost after the settle time, not before", () => {
  const ledger = createLedger({ settleMillis });
  ledger.acknowledged("a", [[1, 3]], 0);
  ledger.delivered("a", 1);
  ledger.delivered("a", 3);

  const [young, old] = [ledger.lost("a", settleMillis - 1), ledger.lost("a", settleMillis)];

  assert.deepEqual([young, old], [0, 1]);
});

test("a message that comes late is no longer lost", () => {
  const ledger = createLedger({ settleMillis });
  ledger.acknowledged("a", [[1, 1]], 0);
  assert.equal(ledger.lost("a", 60_000), 1);

  ledger.delivered("a", 1);

  assert.equal(ledger.lost("a", 60_000), 0);
});

test("a message delivered before its acknowledgement was reported is not awaited", () => {
  const ledger = createLedger({ settleMillis });
  ledger.delivered("a", 7);

  ledger.acknowledged("a", [[7, 7]], 0);

  assert.equal(ledger.undelivered(), 0);
});

test("a message that was sent and never acknowledged is not lost", () => {
  const ledger = createLedger({ settleMillis });
  ledger.acknowledged("a", [[2, 2]], 0);
  ledger.delivered("a", 2);

  assert.equal(ledger.lost("a", 60_000), 0);
});

test("devices have accounts of their own", () => {
  const ledger = createLedger({ settleMillis });
  ledger.acknowledged("a", [[1, 1]], 0);

  ledger.delivered("b", 1);

  assert.equal(ledger.lost("a", 60_000), 1);
  assert.equal(ledger.lost("b", 60_000), 0);
});

test("lost is what was acknowledged and not delivered, in whatever order and however often both are told", () => {
  const sequences = fc.array(fc.nat(40), { maxLength: 80 });
  const order = fc.array(fc.boolean(), { minLength: 160, maxLength: 160 });
  fc.assert(
    fc.property(sequences, sequences, order, (acknowledged, delivered, turns) => {
      const ledger = createLedger({ settleMillis });
      const [acks, deliveries] = [[...acknowledged], [...delivered]];

      for (const isAck of turns) {
        const sequence = (isAck ? acks : deliveries).shift();
        if (sequence === undefined) continue;
        if (isAck) ledger.acknowledged("a", [[sequence, sequence]], 0);
        else ledger.delivered("a", sequence);
      }
      for (const sequence of acks) ledger.acknowledged("a", [[sequence, sequence]], 0);
      for (const sequence of deliveries) ledger.delivered("a", sequence);

      const expected = new Set(acknowledged).difference(new Set(delivered)).size;
      assert.equal(ledger.lost("a", settleMillis), expected);
      assert.equal(ledger.undelivered(), expected);
    }),
  );
});

test("messages beyond what the ledger keeps stay lost", () => {
  const ledger = createLedger({ settleMillis });
  ledger.acknowledged("a", [[0, UNDELIVERED_MAX]], 0);

  ledger.delivered("a", 0);

  assert.equal(ledger.lost("a", settleMillis), UNDELIVERED_MAX + 1);
});

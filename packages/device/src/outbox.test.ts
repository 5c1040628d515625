import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Outbox } from "./outbox.ts";

const message = (payload: Uint8Array = new Uint8Array(10)) =>
  ({ topic: "/devices/lamp/events", payload, qos: 1 }) as const;

test("the outbox refuses the message above its count, and has room again once one is settled", () => {
  const outbox = new Outbox({ messagesMax: 2, bytesMax: 1_000 });
  outbox.add(message());
  outbox.add(message());

  assert.equal(outbox.add(message()), undefined);
  outbox.settle(0, { kind: "acknowledged" });

  assert.notEqual(outbox.add(message()), undefined);
});

test("the outbox refuses the message above its bytes", () => {
  const outbox = new Outbox({ messagesMax: 100, bytesMax: 25 });
  outbox.add(message());
  outbox.add(message());

  const third = outbox.add(message());

  assert.equal(third, undefined);
  assert.equal(outbox.bytes, 20);
});

test("after a new connection everything not settled is sent again, oldest first", () => {
  const outbox = new Outbox({ messagesMax: 10, bytesMax: 1_000 });
  for (let i = 0; i < 4; i++) outbox.add(message());
  for (let i = 0; i < 3; i++) outbox.advance();
  outbox.settle(1, { kind: "acknowledged" });
  assert.equal(outbox.findNext()?.sequence, 3);

  outbox.startOver();

  const order: number[] = [];
  for (let next = outbox.findNext(); next !== undefined; next = outbox.findNext()) {
    order.push(next.sequence);
    outbox.advance();
  }
  assert.deepEqual(order, [0, 2, 3]);
});

test("what is left when the outbox closes is answered `stopped`, what was acknowledged stays so", async () => {
  const outbox = new Outbox({ messagesMax: 10, bytesMax: 1_000 });
  const first = outbox.add(message());
  const second = outbox.add(message());
  outbox.settle(0, { kind: "acknowledged" });

  outbox.close();

  assert.deepEqual(await first, { kind: "acknowledged" });
  assert.deepEqual(await second, { kind: "stopped" });
});

test("the payload is the outbox's own: changing the given array later changes nothing", () => {
  const payload = new Uint8Array([1, 2, 3]);
  const outbox = new Outbox({ messagesMax: 1, bytesMax: 3 });
  outbox.add(message(payload));

  payload.fill(9);

  assert.deepEqual(outbox.findNext()?.payload, new Uint8Array([1, 2, 3]));
});

test("count and bytes always equal what is kept, whatever the order of events", () => {
  const steps = fc.array(fc.oneof(fc.nat({ max: 20 }), fc.constantFrom("advance", "start over", "settle")), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat({ max: 30 })), (all, picks) => {
      const outbox = new Outbox({ messagesMax: 8, bytesMax: 80 });
      const kept = new Map<number, number>();
      let next = 0;
      for (const step of all) {
        if (typeof step === "number") {
          if (outbox.add(message(new Uint8Array(step))) !== undefined) kept.set(next++, step);
        } else if (step === "advance") outbox.advance();
        else if (step === "start over") outbox.startOver();
        else {
          const sequence = picks.next().value ?? 0;
          if (outbox.settle(sequence, { kind: "acknowledged" }) !== undefined) kept.delete(sequence);
        }

        assert.equal(outbox.messages, kept.size);
        assert.equal(
          outbox.bytes,
          [...kept.values()].reduce((sum, n) => sum + n, 0),
        );
        assert.ok(outbox.messages <= 8 && outbox.bytes <= 80);
      }
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Outbox, type OutboxBounds, type PublishOutcome } from "./outbox.ts";
import { type NewMessage, recordHeadBytes, recordLength } from "./outbox-record.ts";

const message = (payload: Uint8Array = new Uint8Array(10)): NewMessage => ({
  isState: false,
  subfolder: "",
  qos: 1,
  messageId: "",
  payload,
});
const sized = (bytes: number): NewMessage => message(new Uint8Array(bytes));
const numbered = (n: number): NewMessage => message(new Uint8Array([n, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
const bounds = (over: Partial<OutboxBounds> = {}): OutboxBounds => ({
  messagesMax: 100,
  bytesMax: 1_000,
  ...over,
});

/** Gives the next message. @returns its key. */
function give(outbox: Outbox): number {
  const entry = outbox.findNext();
  assert.ok(entry !== undefined);
  outbox.advance();
  return entry.key;
}

/** What a new connection would be given, by the first byte of each payload. */
function giveAll(outbox: Outbox): number[] {
  const order: number[] = [];
  for (let next = outbox.findNext(); next !== undefined; next = outbox.findNext()) {
    order.push(next.payload[0] ?? -1);
    outbox.advance();
  }
  return order;
}

test("the outbox is full at its count, and has room again once one is settled", () => {
  const outbox = new Outbox(bounds({ messagesMax: 2 }));
  outbox.add(message());
  outbox.add(message());
  const key = give(outbox);

  assert.equal(outbox.findRoom(recordLength(message())), "full");
  outbox.settle(key, { kind: "acknowledged" });

  assert.equal(outbox.findRoom(recordLength(message())), "yes");
});

test("the outbox is full at its bytes, records counted whole; one larger than all of it never fits", () => {
  const outbox = new Outbox(bounds({ bytesMax: 3 * (recordHeadBytes + 10) - 1 }));
  outbox.add(sized(10));
  outbox.add(sized(10));

  const third = outbox.findRoom(recordLength(sized(10)));
  const smaller = outbox.findRoom(recordLength(sized(9)));
  const huge = outbox.findRoom(recordLength(sized(100)));

  assert.deepEqual([third, smaller, huge], ["full", "yes", "too_large"]);
  assert.equal(outbox.bytes, 20);
});

test("after a new connection everything not settled is sent again, oldest first, and known as a resend", () => {
  const outbox = new Outbox(bounds());
  for (let i = 0; i < 4; i++) outbox.add(numbered(i));
  give(outbox);
  const second = give(outbox);
  give(outbox);
  outbox.settle(second, { kind: "acknowledged" });
  assert.equal(outbox.findNext()?.isResend, false);

  outbox.startOver();

  assert.equal(outbox.findNext()?.isResend, true);
  assert.deepEqual(giveAll(outbox), [0, 2, 3]);
});

test("acknowledged in whatever order, every message is settled once and all room comes back", () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(order, (shuffled) => {
      const outbox = new Outbox(bounds({ bytesMax: 8 * (recordHeadBytes + 10) }));
      const keys = shuffled.map((_, i) => {
        outbox.add(numbered(i));
        return give(outbox);
      });

      const first = shuffled.map((i) => outbox.settle(keys[i] ?? -1, { kind: "acknowledged" }));
      const again = shuffled.map((i) => outbox.settle(keys[i] ?? -1, { kind: "acknowledged" }));

      assert.ok(first.every((settled) => settled !== undefined));
      assert.ok(again.every((settled) => settled === undefined));
      assert.equal(outbox.findRoom(8 * (recordHeadBytes + 10)), "yes");
    }),
  );
});

test("full and to drop its oldest, the outbox drops as few as make room, none of those given to a connection", async () => {
  const record = recordHeadBytes + 10;
  const outbox = new Outbox(bounds({ bytesMax: 4 * record, whenFull: "drop-oldest" }));
  const outcomes: PublishOutcome[] = [];
  for (let i = 0; i < 4; i++) outbox.add(numbered(i), (outcome) => outcomes.push(outcome));
  const inFlight = give(outbox);
  const dropped: number[] = [];

  assert.equal(outbox.findRoom(record), "after_drop");
  outbox.dropFor(record, ({ sequence }) => dropped.push(sequence));
  outbox.add(numbered(4));

  assert.deepEqual(dropped, [1]);
  assert.deepEqual(outcomes, [{ kind: "dropped" }]);
  assert.deepEqual(giveAll(outbox), [2, 3, 4]);
  assert.equal(outbox.settle(inFlight, { kind: "acknowledged" })?.sequence, 0);
});

test("with everything given to a connection, an outbox that drops its oldest is full all the same", () => {
  const outbox = new Outbox(bounds({ messagesMax: 2, whenFull: "drop-oldest" }));
  outbox.add(message());
  outbox.add(message());
  giveAll(outbox);

  assert.equal(outbox.findRoom(recordLength(message())), "full");
});

test("a message too large to fit beside those in flight drops nothing", () => {
  const record = recordHeadBytes + 10;
  const outbox = new Outbox(bounds({ bytesMax: 4 * record, whenFull: "drop-oldest" }));
  for (let i = 0; i < 4; i++) outbox.add(message());
  give(outbox);

  assert.equal(outbox.findRoom(4 * record), "full");
  assert.equal(outbox.messages, 4);
});

test("what is left when the outbox closes is answered `stopped`, what was acknowledged stays so", () => {
  const outbox = new Outbox(bounds());
  const outcomes: PublishOutcome[] = [];
  outbox.add(message(), (outcome) => outcomes.push(outcome));
  outbox.add(message(), (outcome) => outcomes.push(outcome));
  outbox.settle(give(outbox), { kind: "acknowledged" });

  outbox.close();

  assert.deepEqual(outcomes, [{ kind: "acknowledged" }, { kind: "stopped" }]);
  assert.equal(outbox.findNext(), undefined);
});

test("the payload is the outbox's own: changing the given array later changes nothing", () => {
  const payload = new Uint8Array([1, 2, 3]);
  const outbox = new Outbox(bounds());
  outbox.add(message(payload));

  payload.fill(9);

  assert.deepEqual(outbox.findNext()?.payload, new Uint8Array([1, 2, 3]));
});

test("subfolder, id, service quality and topic come out as they went in", () => {
  const outbox = new Outbox(bounds());
  const one: NewMessage = {
    isState: true,
    subfolder: "alarm/door",
    qos: 0,
    messageId: "Tür-7",
    payload: new Uint8Array([5]),
  };
  outbox.add(one);

  const { key, isResend, ...found } = outbox.findNext() ?? assert.fail();

  assert.deepEqual(found, one);
  assert.deepEqual([key, isResend], [0, false]);
});

test("a record that was kept comes back above the bounds, and nothing new is taken until there is room", () => {
  const before = new Outbox(bounds());
  for (let i = 0; i < 3; i++) before.add(numbered(i));
  const after = new Outbox(bounds({ messagesMax: 2, bytesMax: 50 }));

  before.visit((record) => after.restore(record));

  assert.equal(after.findRoom(recordLength(sized(1))), "full");
  assert.deepEqual(giveAll(after), [0, 1, 2]);
});

interface Modelled {
  readonly n: number;
  readonly bytes: number;
  isGiven: boolean;
  key: number;
}

test("whatever happens in whatever order, the outbox gives, keeps and drops what a plain list would", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 3, arbitrary: fc.record({ settle: fc.nat({ max: 20 }) }) },
    { weight: 3, arbitrary: fc.constant("give" as const) },
    { weight: 1, arbitrary: fc.constant("start over" as const) },
  );
  const whenFull = fc.constantFrom("refuse" as const, "drop-oldest" as const);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), whenFull, (steps, policy) => {
      const outbox = new Outbox({ messagesMax: 8, bytesMax: 300, whenFull: policy });
      let list: Modelled[] = [];
      let dropped: number[] = [];
      let n = 0;
      for (const one of steps) {
        if (one === "give") {
          const entry = outbox.findNext();
          const expected = list.find(({ isGiven }) => !isGiven);
          assert.equal(entry?.payload[0], expected?.n);
          if (entry === undefined || expected === undefined) continue;
          outbox.advance();
          expected.isGiven = true;
          expected.key = entry.key;
        } else if (one === "start over") {
          outbox.startOver();
          for (const kept of list) kept.isGiven = false;
        } else if ("settle" in one) {
          const given = list.filter(({ isGiven }) => isGiven);
          const chosen = given[one.settle % Math.max(1, given.length)];
          if (chosen === undefined) continue;
          assert.equal(outbox.settle(chosen.key, { kind: "acknowledged" })?.sequence, chosen.n);
          list = list.filter((kept) => kept !== chosen);
        } else {
          const record = recordHeadBytes + one.add;
          const room = outbox.findRoom(record);
          dropped = [];
          if (room === "after_drop") outbox.dropFor(record, ({ sequence }) => dropped.push(sequence));
          // Dropped are the oldest not given, and none unless that was asked for.
          const waiting = list.filter(({ isGiven }) => !isGiven).map((kept) => kept.n);
          assert.deepEqual(dropped, waiting.slice(0, dropped.length));
          assert.equal(dropped.length > 0, room === "after_drop");
          list = list.filter((kept) => !dropped.includes(kept.n));
          if (room === "full" || room === "too_large") {
            assert.ok(list.length > 0, "an empty outbox refuses nothing of this size");
            continue;
          }
          const payload = new Uint8Array(one.add);
          payload[0] = n;
          assert.equal(outbox.add(message(payload)), n);
          list.push({ n, bytes: one.add, isGiven: false, key: -1 });
          n += 1;
        }
        assert.equal(outbox.messages, list.length);
        assert.equal(
          outbox.bytes,
          list.reduce((sum, { bytes }) => sum + bytes, 0),
        );
        assert.ok(outbox.messages <= 8);
        const kept: number[] = [];
        outbox.visit((_, sequence) => kept.push(sequence));
        assert.deepEqual(
          kept,
          list.map((each) => each.n),
        );
      }
      assert.ok(n < 256);
    }),
    { numRuns: 300 },
  );
});

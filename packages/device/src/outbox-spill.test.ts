import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "./memory-store.ts";
import { Outbox } from "./outbox.ts";
import { type NewMessage, recordHeadBytes } from "./outbox-record.ts";
import { createSpillOutbox, spillBytesMax } from "./outbox-spill.ts";
import type { SmallStore } from "./ports.ts";

const message = (n: number, bytes = 50, qos: 0 | 1 = 1): NewMessage => ({
  isState: false,
  subfolder: "",
  qos,
  messageId: "",
  payload: new Uint8Array(bytes).fill(n),
});

function open(store: SmallStore) {
  const outbox = new Outbox({ messagesMax: 500, bytesMax: 16 * 1024 });
  const spill = createSpillOutbox(store);
  const opening = spill.open(outbox, (record) => outbox.restore(record));
  outbox.startSequenceAt(opening.nextSequence);
  const numbers = (): number[] => {
    const found: number[] = [];
    outbox.visit((record) => {
      found.push(record[recordHeadBytes] ?? -1);
    });
    return found;
  };
  const settleOldest = (): void => {
    const entry = outbox.findNext() ?? assert.fail();
    outbox.advance();
    spill.forget(outbox.settle(entry.key, { kind: "acknowledged" })?.sequence ?? -1);
  };
  return { outbox, spill, numbers, settleOldest, damaged: opening.damaged };
}

test("what waits at a shutdown waits again after the start, in order, over several values", async () => {
  const store = createMemoryStore();
  const before = open(store);
  for (let n = 1; n <= 40; n++) before.outbox.add(message(n));

  await before.spill.close();
  const after = open(store);

  assert.deepEqual(
    after.numbers(),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
  assert.equal(after.damaged, 0);
});

test(`of more than ${spillBytesMax} bytes the oldest are kept, and how many found no room is told`, async () => {
  const store = createMemoryStore();
  const { outbox, spill } = open(store);
  const record = recordHeadBytes + 100;
  for (let n = 0; n < 50; n++) outbox.add(message(n, 100));

  const report = await spill.spill();

  const fit = Math.floor(spillBytesMax / record);
  assert.deepEqual(report, { messages: fit, left: 50 - fit });
  assert.equal(open(store).numbers().length, fit);
});

test("QoS 0 is not worth the flash", async () => {
  const store = createMemoryStore();
  const { outbox, spill } = open(store);
  outbox.add(message(1, 50, 0));
  outbox.add(message(2));

  await spill.spill();

  assert.deepEqual(open(store).numbers(), [2]);
});

test("once all that was taken back is settled, the next start takes nothing back", async () => {
  const store = createMemoryStore();
  const before = open(store);
  before.outbox.add(message(1));
  before.outbox.add(message(2));
  await before.spill.close();
  const between = open(store);

  between.settleOldest();
  assert.deepEqual(open(store).numbers(), [1, 2]);
  between.settleOldest();
  await Promise.resolve();

  assert.deepEqual(open(store).numbers(), []);
});

test("nothing is written while nothing waits, or before it has to be", async () => {
  let writes = 0;
  const memory = createMemoryStore();
  const store: SmallStore = {
    read: (key) => memory.read(key),
    write: (key, value) => {
      writes += 1;
      return memory.write(key, value);
    },
  };
  const { outbox, spill, settleOldest } = open(store);

  outbox.add(message(1));
  settleOldest();
  await spill.close();

  assert.equal(writes, 0);
});

test("a spill cut short by a loss of power is told, and gives no message that is not whole", async () => {
  for (let cutAfter = 0; cutAfter < 3; cutAfter++) {
    const memory = createMemoryStore();
    let writes = 0;
    const store: SmallStore = {
      read: (key) => memory.read(key),
      write: (key, value) => {
        writes += 1;
        return writes > cutAfter ? Promise.reject(new Error("no power")) : memory.write(key, value);
      },
    };
    const full = open(memory);
    for (let n = 1; n <= 40; n++) full.outbox.add(message(n));
    await full.spill.spill();
    const cut = open(store);

    const report = await cut.spill.spill();

    const after = open(memory);
    assert.deepEqual(report, { messages: 0, left: cut.outbox.messages });
    assert.equal(after.damaged, cutAfter === 0 ? 0 : 1);
    assert.deepEqual(
      after.numbers(),
      Array.from({ length: after.numbers().length }, (_, i) => i + 1),
    );
  }
});

test("a message of a spilling outbox is as durable as memory", async () => {
  const { spill } = open(createMemoryStore());

  const durability = await new Promise((kept) => spill.append(0, new Uint8Array(20), kept));

  assert.equal(durability, "memory");
});

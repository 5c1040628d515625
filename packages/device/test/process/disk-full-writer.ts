/**
 * Fills an outbox on a small disk until it refuses, makes room, and goes on. Argument: the folder, on a disk of 3 MiB or so.
 *
 * Prints one line of JSON: what was refused and why, and what was told of each message that was accepted.
 */
import { unlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openFileOutbox } from "../../src/host/node/outbox-file.ts";
import { Outbox } from "../../src/outbox.ts";
import { type NewMessage, recordLength } from "../../src/outbox-record.ts";

const [folder = ""] = process.argv.slice(2);
const bounds = { messagesMax: 10_000, bytesMax: 16 * 1024 * 1024 };
const segmentBytes = 512 * 1024;
const payload = new Uint8Array(20_000);
const message: NewMessage = { isState: false, subfolder: "", qos: 1, messageId: "", payload };

const outbox = new Outbox(bounds);
const store = openFileOutbox({ folder, bytesMax: bounds.bytesMax, segmentBytes });
store.open(outbox, (record) => outbox.restore(record));

let accepted = 0;
let durable = 0;
const refusals = new Set<string>();

/** Adds until refused for the reason given, or `count` are taken. */
async function add(count: number, until?: string): Promise<void> {
  for (let taken = 0, waits = 0; taken < count && waits < 20_000; ) {
    const refusal = store.findRefusal(recordLength(message));
    if (refusal !== undefined) {
      refusals.add(refusal);
      if (refusal === until) return;
      waits += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const sequence = outbox.add(message);
    accepted += 1;
    taken += 1;
    store.append(sequence, outbox.storeNewest(), (durability) => {
      if (durability === "durable") durable += 1;
    });
  }
}

const waste = join(folder, "..", "waste");
writeFileSync(waste, new Uint8Array(700_000));
await add(10_000, "outbox_disk_full");
const trouble = store.trouble;
const acceptedWhenFull = accepted;
// Whatever was accepted goes to the disk, full as it is.
for (let waits = 0; durable < accepted && waits < 5_000; waits++) await new Promise((r) => setTimeout(r, 1));
const durableWhenFull = durable;
unlinkSync(waste);
await add(20);
await store.close();
writeSync(
  1,
  JSON.stringify({
    trouble,
    acceptedWhenFull,
    durableWhenFull,
    acceptedInAll: accepted,
    durableInAll: durable,
    troubleAtLast: store.trouble ?? "none",
    refusals: [...refusals],
  }),
);

/**
 * Adds twelve messages one after the other to an outbox whose disk fails once, and reads them back. Argument: the folder.
 * Prints one line of JSON.
 */
import { readdirSync, writeSync } from "node:fs";
import { openFileOutbox } from "../../src/host/node/outbox-file.ts";
import { Outbox } from "../../src/outbox.ts";
import { type NewMessage, recordLength } from "../../src/outbox-record.ts";

const [folder = ""] = process.argv.slice(2);
const bounds = { messagesMax: 100, bytesMax: 1024 * 1024 };
const message: NewMessage = {
  isState: false,
  subfolder: "",
  qos: 1,
  messageId: "",
  payload: new Uint8Array(100),
};

function open() {
  const outbox = new Outbox(bounds);
  const store = openFileOutbox({ folder, bytesMax: bounds.bytesMax, segmentBytes: 64 * 1024 });
  store.open(outbox, (record) => outbox.restore(record));
  return { outbox, store };
}

const first = open();
let trouble: string | undefined;
const watch = setInterval(() => {
  trouble ??= first.store.trouble;
}, 1);
const durabilities: string[] = [];
while (durabilities.length < 12) {
  const { outbox, store } = first;
  if (store.findRefusal(recordLength(message)) !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    continue;
  }
  const sequence = outbox.add(message);
  durabilities.push(
    await new Promise<string>((kept) => {
      store.append(sequence, outbox.storeNewest(), kept);
    }),
  );
}
const segments = readdirSync(folder).filter((name) => name.endsWith(".segment"));
// What is taken after the failure goes to another segment than what was before it.
const inFirstSegment = segments.length >= 2 ? "given up" : "gone on with";
for (let waits = 0; first.store.trouble !== undefined && waits < 5_000; waits++) {
  await new Promise((resolve) => setTimeout(resolve, 1));
}
const troubleAtLast = first.store.trouble ?? "none";
clearInterval(watch);
await first.store.close();

const second = open();
const recovered = second.outbox.messages;
await second.store.close();
writeSync(1, JSON.stringify({ durabilities, trouble, troubleAtLast, inFirstSegment, recovered }));

/** Promises about what a device keeps through a restart and a loss of power, and how to break each. */
import type { Sabotage } from "./table.ts";

const FILE_STORE = "packages/device/src/host/node/file-store.ts";
const FILE_STORE_TEST = "packages/device/src/host/node/file-store.test.ts";
const FILE_STORE_FSYNC = "packages/device/test/process/file-store-fsync.test.ts";

const OUTBOX_FILE = "packages/device/src/host/node/outbox-file.ts";
const OUTBOX_FILE_TEST = "packages/device/src/host/node/outbox-file.test.ts";
const SEGMENT_FILES = "packages/device/src/host/node/segment-files.ts";
const DISK_TEST = "packages/device/test/process/outbox-disk.test.ts";

export const outboxRows: readonly Sabotage[] = [
  {
    promise: "A small value is on the disk before it is said to be kept.",
    deed: "leave fsync of the value out",
    file: FILE_STORE,
    find: "      await handle.sync();\n",
    replace: "",
    test: FILE_STORE_FSYNC,
    name: "strace sees a small value synchronised",
  },
  {
    promise: "A small value that is not whole reads as absent.",
    deed: "believe the file without its checksum",
    file: FILE_STORE,
    find: " && bytes.readUInt32BE(4) === crc32(value, crc32(key))",
    replace: "",
    test: FILE_STORE_TEST,
    name: "file store: a file cut short at any byte",
  },
  {
    promise: "Two agents never share a folder.",
    deed: "open a folder that another agent has",
    file: "packages/device/src/host/node/folder-lock.ts",
    find: "; BEGIN EXCLUSIVE",
    replace: "",
    test: FILE_STORE_TEST,
    name: "file store: a folder open in one agent is refused",
  },
  {
    promise: "A message is on the disk before it is said to be durable.",
    deed: "leave fsync of the outbox out",
    file: SEGMENT_FILES,
    find: "  if (isDurable) await syncData(descriptor);\n",
    replace: "",
    test: "test/process/outbox-fsync.test.ts",
    name: "strace sees an outbox segment synchronised",
    isSlow: true,
  },
  {
    promise: "A disk that failed to synchronise is not believed about what it was given.",
    deed: "take a failed fsync of the outbox for a success",
    file: SEGMENT_FILES,
    find: "await syncData(descriptor);",
    replace: "await syncData(descriptor).catch(() => {});",
    test: DISK_TEST,
    name: "a synchronisation that fails is not believed",
    isSlow: true,
  },
  {
    promise: "A full disk refuses new messages and never fails one that was accepted.",
    deed: "promise room in the outbox that the disk has not given",
    file: SEGMENT_FILES,
    find: "    await writeWhole(descriptor, Buffer.alloc(bytes), 0);\n",
    replace: "",
    test: DISK_TEST,
    name: "on a full disk the outbox refuses",
    isSlow: true,
  },
  {
    promise: "A message that is not whole on the disk is never sent, and is told.",
    deed: "believe a frame of the outbox without its checksum",
    file: "packages/device/src/host/node/outbox-segment.ts",
    find: "end <= file.length && file.readUInt32BE(at + 12) === checksum(file, at, end)",
    replace: "end <= file.length",
    test: "packages/device/src/host/node/outbox-segment.test.ts",
    name: "a bit flipped anywhere costs at most its own frame",
  },
  {
    promise: "The outbox takes a bounded part of the disk, whatever stays unsettled.",
    deed: "never write anew what holds old segments",
    file: OUTBOX_FILE,
    find: "        this.#rescue();\n",
    replace: "",
    test: OUTBOX_FILE_TEST,
    name: "old messages that never settle do not keep the disk filling",
  },
  {
    promise: "What waits for the disk is bounded.",
    deed: "let the outbox wait for a slow disk without bound",
    file: OUTBOX_FILE,
    find: "this.#unwrittenBytes + frame > unwrittenBytesMax",
    replace: "this.#unwrittenBytes + frame > Number.MAX_SAFE_INTEGER",
    test: OUTBOX_FILE_TEST,
    name: "what is not written yet is bounded",
  },
  {
    promise: "A message that was settled before a restart is not sent after it.",
    deed: "do not tell the store that a message is settled",
    file: "packages/device/src/publisher.ts",
    find: "    if (message?.isStored === true) this.#store?.forget(message.sequence);\n",
    replace: "",
    test: "packages/device/src/publisher.test.ts",
    name: "a store is given what is QoS 1",
  },
  {
    promise: "An answer settles the message it is for, also when older ones were dropped since.",
    deed: "drop messages without moving the keys of those in flight",
    file: "packages/device/src/outbox.ts",
    find: "    this.#moved += cut;\n",
    replace: "",
    test: "packages/device/src/outbox.test.ts",
    name: "full and to drop its oldest, the outbox drops as few as make room",
  },
  {
    promise: "No restart gives a message the id of another.",
    deed: "count message ids from 1 at each start and no more",
    file: "packages/device/src/message-ids.ts",
    find: `    return \`\${this.#prefix}.\${this.#count.toString(36)}\`;`,
    replace: `    return \`1.\${this.#count.toString(36)}\`;`,
    test: "packages/device/src/publisher.test.ts",
    name: "with a store every QoS 1 message has an id",
  },
  {
    promise: "Messages that a shutdown wrote out half are told, and never mixed with those of another.",
    deed: "mix the values of two spills",
    file: "packages/device/src/outbox-spill.ts",
    find: " || value[1] !== this.#generation",
    replace: "",
    test: "packages/device/src/outbox-spill.test.ts",
    name: "a spill cut short by a loss of power",
  },
  {
    promise: "What the agent service answers as kept arrives after kill -9 of the service.",
    deed: "run the agent service with its messages in memory",
    file: "packages/cli/src/host/agent-service.ts",
    find: "      outbox,\n    },\n    options,\n",
    replace: "    },\n    options,\n",
    test: "packages/cli/test/agent-service.test.ts",
    name: "what curl was told is kept",
    isSlow: true,
  },
];

/** Promises about what a device keeps through a restart and a loss of power, and how to break each. */
import type { Sabotage } from "./table.ts";

const FILE_STORE = "packages/device/src/host/node/file-store.ts";
const FILE_STORE_TEST = "packages/device/src/host/node/file-store.test.ts";
const FILE_STORE_FSYNC = "packages/device/test/process/file-store-fsync.test.ts";

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
];

/** A process that keeps one small value and then says so, for a tracer to watch. Argument: the folder. */
import { writeSync } from "node:fs";
import { openFileStore } from "../../src/host/node/file-store.ts";

const store = openFileStore(process.argv[2] ?? "");
await store.write("floor", new Uint8Array([1, 2, 3]));
writeSync(1, "kept\n");

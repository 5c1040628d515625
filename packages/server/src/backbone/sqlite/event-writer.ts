/**
 * The writer thread of one event partition: the only place that commits to its file.
 *
 * A request is one transaction and one fsync, however many messages it brings. The answer leaves after COMMIT
 * has returned, and COMMIT returns after the write-ahead log is on the disk; what the bridge promises its
 * devices rests on that line below.
 */
import { existsSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { StoreError } from "../../registry/store.ts";
import { openForWriting, prepareOwnerOnlyFile, storeErrorOf } from "../../store/sqlite/database.ts";
import { migrate } from "../../store/sqlite/migrate.ts";
import { runWriter } from "../../store/sqlite/writer-port.ts";
import { EventExecutor } from "./event-executor.ts";
import type { EventReply, EventRequest, EventWriterData } from "./event-requests.ts";
import { eventMigrations } from "./event-schema.ts";

const BUSY_MILLIS = 5_000;
const PAGE_BYTES = 4096;
/** Pages a commit writes beside its blocks, about: leaves of the table and its index. */
const PAGES_PER_COMMIT = 4;
/** The log may not grow past this: here the writer itself waits for the checkpoint. */
const WAL_BYTES_MAX = 64 * 1024 * 1024;

runWriter<EventRequest, EventReply>("cannot open an event partition", () => {
  const { file, partition, partitions, mayCreate, maxBytes } = workerData as EventWriterData;
  if (!mayCreate && !existsSync(file)) {
    throw new StoreError(
      "store_failed",
      `${file} is missing: the messages of partition ${partition} are gone`,
    );
  }
  prepareOwnerOnlyFile(file);
  const database = openForWriting(file, BUSY_MILLIS);
  database.exec("PRAGMA synchronous=FULL");
  migrate(database, eventMigrations, file);
  if (maxBytes !== undefined) database.exec(`PRAGMA max_page_count=${Math.floor(maxBytes / PAGE_BYTES)}`);

  const executor = new EventExecutor(database);
  if (executor.facts().partitions === 0) executor.setMeta("partitions", partitions);
  let walBytes = 0;

  function write({ blocks, operations }: EventRequest): EventReply {
    const firstBlock = executor.nextBlock;
    const buffers = blocks.map((block) => (block.isWantedBack ? block.buffer : undefined));
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const block of blocks) executor.writeBlock(block);
      const answers = operations.map((operation) => executor.execute(operation));
      database.exec("COMMIT");
      executor.committed();
      for (const { length } of blocks) walBytes += length + PAGE_BYTES;
      if (blocks.length > 0 || operations.length > 0) walBytes += PAGES_PER_COMMIT * PAGE_BYTES;
      return { firstBlock, answers, buffers, walBytes };
    } catch (cause) {
      if (database.isTransaction) database.exec("ROLLBACK");
      executor.undone();
      const { code, message } = storeErrorOf(cause, `${file} could not be written`);
      return { failed: { code, message }, firstBlock, answers: [], buffers: [], walBytes };
    }
  }

  /** A checkpoint that fails (a full disk) costs nothing but space; it is tried again. */
  function checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    try {
      const row = database.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
      const framesLeft = row?.["log"] === row?.["checkpointed"] ? 0 : Number(row?.["log"]);
      walBytes = framesLeft * PAGE_BYTES;
    } catch {
      walBytes = Math.max(walBytes, PAGE_BYTES);
    }
  }

  return {
    facts: executor.facts(),
    close: () => database.close(),
    handle(request, reply) {
      const outcome = write(request);
      reply(
        outcome,
        outcome.buffers.filter((buffer) => buffer !== undefined),
      );
      if (walBytes > WAL_BYTES_MAX) checkpoint("TRUNCATE");
      else if (request.finishCheckpoint) checkpoint("PASSIVE");
    },
  };
});

/**
 * The reader thread: fetches blocks for pulls, and does the long part of checkpoints off the commit path.
 *
 * A cold read or a checkpoint may take as long as the disk likes: neither the event loop nor a writer waits.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { openForWriting, storeErrorOf } from "../../store/sqlite/database.ts";
import { runWriter } from "../../store/sqlite/writer-port.ts";
import type { ReadBlock, ReaderReply, ReaderRequest } from "./event-requests.ts";

/** Bytes of blocks one read returns, but always one block. */
const READ_BYTES_MAX = 4 * 1024 * 1024;
const BUSY_MILLIS = 1_000;

interface Partition {
  readonly database: DatabaseSync;
  readonly select: StatementSync;
}

runWriter<ReaderRequest, ReaderReply>("cannot read the event partitions", () => {
  const files = workerData as readonly string[];
  const partitions = files.map((file): Partition => {
    const database = openForWriting(file, BUSY_MILLIS);
    const select = database.prepare(
      `SELECT block, count, data FROM block WHERE registry_pk = (SELECT pk FROM registry WHERE key = ?)
       AND block >= ? ORDER BY block`,
    );
    return { database, select };
  });

  function read(
    { select }: Partition,
    registryKey: string,
    fromBlock: number,
    messages: number,
  ): ReadBlock[] {
    const blocks: ReadBlock[] = [];
    let messagesLeft = messages;
    let bytesLeft = READ_BYTES_MAX;
    for (const row of select.iterate(registryKey, fromBlock)) {
      const data = row["data"];
      if (!(data instanceof Uint8Array)) continue;
      blocks.push({ block: Number(row["block"]), count: Number(row["count"]), data });
      messagesLeft -= Number(row["count"]);
      bytesLeft -= data.length;
      if (messagesLeft <= 0 || bytesLeft <= 0) break;
    }
    return blocks;
  }

  function answer(request: ReaderRequest): ReaderReply {
    try {
      const partition = partitions[request.partition];
      if (partition === undefined) return { kind: "blocks", blocks: [] };
      if (request.kind === "read") {
        const { registryKey, fromBlock, messages } = request;
        return { kind: "blocks", blocks: read(partition, registryKey, fromBlock, messages) };
      }
      partition.database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      return { kind: "done" };
    } catch (cause) {
      const { code, message } = storeErrorOf(cause, "events could not be read");
      return { kind: "failed", code, message };
    }
  }

  return {
    facts: undefined,
    close: () => {
      for (const { database } of partitions) database.close();
    },
    handle(request, reply) {
      reply(answer(request));
    },
  };
});

/**
 * Carries out blocks and operations inside a transaction that is already open.
 *
 * What it remembers between transactions (the newest block's number, rows of registries) is settled by
 * {@link EventExecutor.committed} or forgotten by {@link EventExecutor.undone}, as the transaction ends.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type {
  BlockToWrite,
  EventOperation,
  EventOperations,
  EventWriterFacts,
  OperationKind,
  RegistryTotal,
  StoredCursor,
} from "./event-requests.ts";

type Take<K extends OperationKind> = Extract<EventOperation, { kind: K }>;
type Answer<K extends OperationKind> = EventOperations[K]["answer"];

/** Blocks one sweep removes before it lets others write: some 8 ms of work. */
const SWEEP_BLOCKS_MAX = 64;
/** Acknowledgements removed with a registry in one transaction; rows of some 50 bytes. */
const ACKNOWLEDGEMENTS_MAX = 1_000;
const PROBE_BYTES = 32 * 1024;

export class EventExecutor {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #registryPks = new Map<string, number>();
  #newestBlock: number;
  #nextBlock: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const kept = Number(this.#get("SELECT max(block) AS block FROM block")?.["block"] ?? 0);
    this.#newestBlock = Math.max(kept, this.#meta("block_floor"));
    this.#nextBlock = this.#newestBlock + 1;
  }

  get nextBlock(): number {
    return this.#nextBlock;
  }

  committed(): void {
    this.#newestBlock = this.#nextBlock - 1;
  }

  undone(): void {
    this.#nextBlock = this.#newestBlock + 1;
    this.#registryPks.clear();
  }

  facts(): EventWriterFacts {
    return {
      partitions: this.#meta("partitions"),
      isComplete: this.#meta("complete") === 1,
      subscriptions: this.#all("SELECT uid, definition FROM subscription").map((row) => ({
        uid: String(row["uid"]),
        subscription: JSON.parse(String(row["definition"])),
      })),
      cursors: this.#all("SELECT uid, next_block, removed_unread FROM cursor").map(
        (row): StoredCursor => ({
          uid: String(row["uid"]),
          nextBlock: Number(row["next_block"]),
          removedUnread: Number(row["removed_unread"]),
          acknowledged: this.#all(
            "SELECT block, bitmap FROM acknowledgement WHERE uid = ?",
            String(row["uid"]),
          ).map((one) => [Number(one["block"]), bytesOf(one["bitmap"])] as const),
        }),
      ),
    };
  }

  setMeta(name: string, value: number): void {
    this.#run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value);
  }

  writeBlock({ registryKey, count, buffer, length, lastMs }: BlockToWrite): void {
    const data = new Uint8Array(buffer, 0, length);
    this.#run(
      "INSERT INTO block (block, registry_pk, count, bytes, last_ms, data) VALUES (?, ?, ?, ?, ?, ?)",
      ...[this.#nextBlock, this.#registryPk(registryKey), count, length, lastMs, data],
    );
    this.#nextBlock += 1;
  }

  execute(operation: EventOperation): unknown {
    switch (operation.kind) {
      case "addCursor":
        return this.#addCursor(operation);
      case "removeCursor":
        this.#run("DELETE FROM acknowledgement WHERE uid = ?", operation.uid);
        this.#run("DELETE FROM cursor WHERE uid = ?", operation.uid);
        return undefined;
      case "define":
        this.#run(
          "INSERT INTO subscription (uid, definition) VALUES (?, ?)",
          ...[operation.stored.uid, JSON.stringify(operation.stored.subscription)],
        );
        return undefined;
      case "undefine":
        this.#run("DELETE FROM subscription WHERE uid = ?", operation.uid);
        return undefined;
      case "acknowledge":
        return this.#acknowledge(operation);
      case "totals":
        return this.#totals();
      case "sweep":
        return this.#sweep(operation);
      case "registries":
        return this.#all("SELECT key FROM registry ORDER BY key").map((row) => String(row["key"]));
      case "removeRegistry":
        return this.#removeRegistry(operation);
      case "complete":
        this.setMeta("complete", 1);
        return undefined;
      case "probe":
        this.#run("DELETE FROM probe");
        this.#run("INSERT INTO probe (pk, filler) VALUES (1, ?)", new Uint8Array(PROBE_BYTES));
        return undefined;
    }
  }

  #addCursor({ uid, registryKey, from }: Take<"addCursor">): Answer<"addCursor"> {
    const nextBlock = from === "earliest" ? 0 : this.#nextBlock;
    this.#run(
      "INSERT INTO cursor (uid, registry_pk, next_block, removed_unread) VALUES (?, ?, ?, 0)",
      ...[uid, this.#registryPk(registryKey), nextBlock],
    );
    return nextBlock;
  }

  #acknowledge({ uid, blocks }: Take<"acknowledge">): undefined {
    const cursor = this.#get("SELECT registry_pk, next_block FROM cursor WHERE uid = ?", uid);
    if (cursor === undefined) return;
    let nextBlock = Number(cursor["next_block"]);
    for (const [block, count, indices] of blocks) {
      if (block < nextBlock) continue;
      const bitmap = this.#bitmap(uid, block) ?? new Uint8Array(Math.ceil(count / 8));
      for (const index of indices) setBit(bitmap, index);
      this.#run(
        "INSERT OR REPLACE INTO acknowledgement (uid, block, bitmap) VALUES (?, ?, ?)",
        ...[uid, block, bitmap],
      );
    }
    // The cursor passes what is acknowledged whole; blocks of other registries are not in its way.
    const registryPk = Number(cursor["registry_pk"]);
    const next = "SELECT block, count FROM block WHERE registry_pk = ? AND block >= ? ORDER BY block LIMIT 1";
    for (;;) {
      const row = this.#get(next, registryPk, nextBlock);
      if (row === undefined) break;
      const bitmap = this.#bitmap(uid, Number(row["block"]));
      if (bitmap === undefined || countBits(bitmap) < Number(row["count"])) break;
      nextBlock = Number(row["block"]) + 1;
    }
    this.#run("DELETE FROM acknowledgement WHERE uid = ? AND block < ?", uid, nextBlock);
    this.#run("UPDATE cursor SET next_block = ? WHERE uid = ?", nextBlock, uid);
  }

  #totals(): Answer<"totals"> {
    return this.#all(
      `SELECT r.key, sum(b.bytes) AS bytes,
         (SELECT last_ms FROM block WHERE registry_pk = r.pk ORDER BY block LIMIT 1) AS oldest_ms
       FROM registry r JOIN block b ON b.registry_pk = r.pk GROUP BY r.pk`,
    ).map(
      (row): RegistryTotal => ({
        registryKey: String(row["key"]),
        bytes: Number(row["bytes"]),
        oldestMs: Number(row["oldest_ms"]),
      }),
    );
  }

  #sweep({ registries }: Take<"sweep">): Answer<"sweep"> {
    let removed = 0;
    let removedUnread = 0;
    let blocksLeft = SWEEP_BLOCKS_MAX;
    for (const { registryKey, beforeMs, bytesMax } of registries) {
      // The registry may have been removed since the plan was made; asking must not bring its row back.
      const pk = this.#findRegistryPk(registryKey);
      if (pk === undefined) continue;
      const sum = "SELECT sum(bytes) AS bytes FROM block WHERE registry_pk = ?";
      let bytes = Number(this.#get(sum, pk)?.["bytes"] ?? 0);
      const oldest =
        "SELECT block, count, bytes, last_ms FROM block WHERE registry_pk = ? ORDER BY block LIMIT ?";
      for (const row of this.#all(oldest, pk, blocksLeft)) {
        if (Number(row["last_ms"]) >= beforeMs && bytes <= bytesMax) break;
        removedUnread += this.#removeBlock(pk, Number(row["block"]), Number(row["count"]));
        removed += Number(row["count"]);
        bytes -= Number(row["bytes"]);
        blocksLeft -= 1;
      }
      if (blocksLeft <= 0) break;
    }
    if (removed > 0) this.setMeta("block_floor", this.#nextBlock - 1);
    return { removed, removedUnread, isDone: blocksLeft > 0 };
  }

  #removeRegistry({ registryKey }: Take<"removeRegistry">): Answer<"removeRegistry"> {
    const pk = this.#findRegistryPk(registryKey);
    if (pk === undefined) return { isDone: true };
    const cursor = this.#get("SELECT uid FROM cursor WHERE registry_pk = ? LIMIT 1", pk);
    if (cursor !== undefined) {
      const uid = String(cursor["uid"]);
      const some = "SELECT block FROM acknowledgement WHERE uid = ? ORDER BY block LIMIT ?";
      const blocks = this.#all(some, uid, ACKNOWLEDGEMENTS_MAX).map((row) => Number(row["block"]));
      const last = blocks.at(-1) ?? 0;
      this.#run("DELETE FROM acknowledgement WHERE uid = ? AND block <= ?", uid, last);
      if (blocks.length < ACKNOWLEDGEMENTS_MAX) this.#run("DELETE FROM cursor WHERE uid = ?", uid);
      return { isDone: false };
    }
    const oldest = "SELECT block FROM block WHERE registry_pk = ? ORDER BY block LIMIT ?";
    const rows = this.#all(oldest, pk, SWEEP_BLOCKS_MAX);
    for (const row of rows) this.#run("DELETE FROM block WHERE block = ?", Number(row["block"]));
    if (rows.length > 0) this.setMeta("block_floor", this.#nextBlock - 1);
    if (rows.length === SWEEP_BLOCKS_MAX) return { isDone: false };
    this.#run("DELETE FROM registry WHERE pk = ?", pk);
    this.#registryPks.delete(registryKey);
    return { isDone: true };
  }

  /** @returns Messages in it that a subscription had not acknowledged, once per subscription. */
  #removeBlock(registryPk: number, block: number, count: number): number {
    let unreadByAll = 0;
    const cursors = "SELECT uid FROM cursor WHERE registry_pk = ? AND next_block <= ?";
    for (const row of this.#all(cursors, registryPk, block)) {
      const uid = String(row["uid"]);
      const bitmap = this.#bitmap(uid, block);
      const unread = count - (bitmap === undefined ? 0 : countBits(bitmap));
      this.#run("UPDATE cursor SET removed_unread = removed_unread + ? WHERE uid = ?", unread, uid);
      this.#run("DELETE FROM acknowledgement WHERE uid = ? AND block = ?", uid, block);
      unreadByAll += unread;
    }
    this.#run("DELETE FROM block WHERE block = ?", block);
    return unreadByAll;
  }

  #bitmap(uid: string, block: number): Uint8Array | undefined {
    const row = this.#get("SELECT bitmap FROM acknowledgement WHERE uid = ? AND block = ?", uid, block);
    return row === undefined ? undefined : bytesOf(row["bitmap"]);
  }

  #registryPk(key: string): number {
    const known = this.#registryPks.get(key);
    if (known !== undefined) return known;
    this.#run("INSERT OR IGNORE INTO registry (key) VALUES (?)", key);
    const pk = Number(this.#get("SELECT pk FROM registry WHERE key = ?", key)?.["pk"]);
    this.#registryPks.set(key, pk);
    return pk;
  }

  #findRegistryPk(key: string): number | undefined {
    const row = this.#get("SELECT pk FROM registry WHERE key = ?", key);
    return row === undefined ? undefined : Number(row["pk"]);
  }

  #meta(name: string): number {
    return Number(this.#get("SELECT value FROM meta WHERE name = ?", name)?.["value"] ?? 0);
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }

  #get(sql: string, ...values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: (string | number)[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  #statement(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

export function setBit(bitmap: Uint8Array, index: number): void {
  const byte = index >>> 3;
  bitmap[byte] = (bitmap[byte] ?? 0) | (1 << (index & 7));
}

export function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

function countBits(bitmap: Uint8Array): number {
  let bits = 0;
  for (const byte of bitmap) for (let rest = byte; rest !== 0; rest &= rest - 1) bits += 1;
  return bits;
}

function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}

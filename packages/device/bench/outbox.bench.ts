/**
 * What a durable message costs: the outbox in files beside what one would write instead, on the same disk.
 *
 * Each contender makes 100-byte messages durable, one at a time and with 64 in flight, in turn over several rounds; the
 * medians of a run are compared with each other and with nothing else. *Append* is a file that grows, written and synced
 * for all that waits (at one at a time: for each message); *SQLite* is a table in WAL mode with synchronous = FULL, one
 * transaction for all that waits. Neither forgets a message again, which the outbox does as well.
 *
 * Run: `node packages/device/bench/outbox.bench.ts [FOLDER]`; about a minute.
 */
import { fdatasync, mkdtempSync, openSync, rmSync, write } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { openFileOutbox } from "../src/host/node/outbox-file.ts";
import { Outbox } from "../src/outbox.ts";
import { recordLength } from "../src/outbox-record.ts";

const rounds = 5;
const millisPerRound = 1_500;
const payload = new Uint8Array(100).fill(7);
const writeFile = promisify(write);
const syncFile = promisify(fdatasync);

/** Makes messages durable until it is told to stop. @returns how many. */
type Contender = (folder: string, inFlight: number, mayGoOn: () => boolean) => Promise<number>;

async function outboxInFiles(folder: string, inFlight: number, mayGoOn: () => boolean): Promise<number> {
  const message = { isState: false, subfolder: "", qos: 1, messageId: "", payload } as const;
  const bounds = { messagesMax: 10_000, bytesMax: 4 * 1024 * 1024 };
  const outbox = new Outbox(bounds);
  const store = openFileOutbox({ folder, bytesMax: bounds.bytesMax });
  store.open(outbox, (record) => outbox.restore(record));
  let durable = 0;
  const one = async (): Promise<void> => {
    while (mayGoOn()) {
      if (store.findRefusal(recordLength(message)) !== undefined) {
        await new Promise(setImmediate);
        continue;
      }
      const sequence = outbox.add(message);
      await new Promise<unknown>((kept) => store.append(sequence, outbox.storeNewest(), kept));
      durable += 1;
      const entry = outbox.findNext();
      if (entry === undefined) continue;
      outbox.advance();
      const settled = outbox.settle(entry.key, { kind: "acknowledged" });
      if (settled !== undefined) store.forget(settled.sequence);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  await store.close();
  return durable;
}

async function append(folder: string, inFlight: number, mayGoOn: () => boolean): Promise<number> {
  const descriptor = openSync(join(folder, "append"), "w");
  const batch = Buffer.concat(Array.from({ length: inFlight }, () => payload));
  let durable = 0;
  while (mayGoOn()) {
    await writeFile(descriptor, batch, 0, batch.length, null);
    await syncFile(descriptor);
    durable += inFlight;
  }
  return durable;
}

async function sqlite(folder: string, inFlight: number, mayGoOn: () => boolean): Promise<number> {
  const database = new DatabaseSync(join(folder, "messages.sqlite"));
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE m (id INTEGER PRIMARY KEY, b BLOB)",
  );
  const insert = database.prepare("INSERT INTO m (b) VALUES (?)");
  let durable = 0;
  while (mayGoOn()) {
    database.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < inFlight; i++) insert.run(payload);
    database.exec("COMMIT");
    durable += inFlight;
    await new Promise(setImmediate);
  }
  database.close();
  return durable;
}

const contenders: Readonly<Record<string, Contender>> = { "outbox in files": outboxInFiles, append, sqlite };

const base = mkdtempSync(join(process.argv[2] ?? tmpdir(), "mayfly-outbox-bench-"));
try {
  for (const inFlight of [1, 64]) {
    const rates = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [name, contender] of Object.entries(contenders)) {
        const folder = mkdtempSync(join(base, "round-"));
        const started = performance.now();
        const durable = await contender(folder, inFlight, () => performance.now() - started < millisPerRound);
        const rate = durable / ((performance.now() - started) / 1000);
        rates.set(name, [...(rates.get(name) ?? []), rate]);
      }
    }
    const medians = [...rates].map(([name, all]) => ({ name, all: all.sort((a, b) => a - b) }));
    const ours = medians[0]?.all[rounds >> 1] ?? 0;
    for (const { name, all } of medians) {
      const median = all[rounds >> 1] ?? 0;
      console.log(
        `${inFlight} in flight | ${name} | ${Math.round(median)}/s | ${Math.round(all[0] ?? 0)} to ${Math.round(all.at(-1) ?? 0)} | outbox is ${(ours / median).toFixed(2)} x`,
      );
    }
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}

import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Outbox } from "../../outbox.ts";
import { type NewMessage, recordLength } from "../../outbox-record.ts";
import type { Durability, OutboxStore } from "../../outbox-store.ts";
import { openFileOutbox, unwrittenBytesMax } from "./outbox-file.ts";

const root = mkdtempSync(join(tmpdir(), "mayfly-outbox-file-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

const numbered = (n: number, bytes = 10): NewMessage => {
  const payload = new Uint8Array(bytes);
  new DataView(payload.buffer).setUint32(0, n);
  return { isState: false, subfolder: "", qos: 1, messageId: `id-${n}`, payload };
};

/** An outbox and its files, as the publisher puts them together. */
class Kept {
  readonly outbox: Outbox;
  readonly store: OutboxStore;
  readonly damaged: number;
  readonly opening: string;

  constructor(folder: string, { bytesMax = 64 * 1024, segmentBytes = 4096 } = {}) {
    this.outbox = new Outbox({ messagesMax: 10_000, bytesMax, whenFull: "drop-oldest" });
    this.store = openFileOutbox({ folder, bytesMax, segmentBytes });
    const opening = this.store.open(this.outbox, (record) => this.outbox.restore(record));
    this.outbox.startSequenceAt(opening.nextSequence);
    this.damaged = opening.damaged;
    this.opening = opening.opening;
  }

  add(message: NewMessage): Promise<Durability> {
    const refusal = this.store.findRefusal(recordLength(message));
    assert.equal(refusal, undefined);
    const sequence = this.outbox.add(message);
    return new Promise((kept) => this.store.append(sequence, this.outbox.storeNewest(), kept));
  }

  /** As `add`, after as many waits for the disk as it asks for. */
  async addPatiently(message: NewMessage): Promise<Durability> {
    let waits = 0;
    while (this.store.findRefusal(recordLength(message)) === "outbox_busy") {
      waits += 1;
      assert.ok(waits < 10_000, "the disk is behind for ever");
      await new Promise(setImmediate);
    }
    return this.add(message);
  }

  settleOldest(): void {
    const entry = this.outbox.findNext() ?? assert.fail("nothing waits");
    this.outbox.advance();
    const settled = this.outbox.settle(entry.key, { kind: "acknowledged" }) ?? assert.fail();
    this.store.forget(settled.sequence);
  }

  numbers(): number[] {
    const numbers: number[] = [];
    this.outbox.visit((record) => {
      const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
      numbers.push(view.getUint32(14 + (record[5] ?? 0)));
    });
    return numbers;
  }
}

const segmentsIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".segment"))
    .sort();

test("what was durable is there after the process is gone, in its order, and nothing that was settled", async () => {
  const folder = newFolder();
  const before = new Kept(folder);
  const durabilities = await Promise.all([1, 2, 3, 4].map((n) => before.add(numbered(n))));
  before.settleOldest();
  await before.store.close();

  const afterwards = new Kept(folder);

  assert.deepEqual(durabilities, ["durable", "durable", "durable", "durable"]);
  assert.deepEqual(afterwards.numbers(), [2, 3, 4]);
  assert.equal(afterwards.damaged, 0);
  assert.deepEqual(afterwards.outbox.findNext()?.messageId, "id-2");
  await afterwards.store.close();
});

test("each opening has a name of its own, and sequences go on above all that were kept", async () => {
  const folder = newFolder();
  const openings: string[] = [];
  const sequences: number[] = [];
  for (let i = 0; i < 3; i++) {
    const kept = new Kept(folder);
    openings.push(kept.opening);
    sequences.push(kept.outbox.add(numbered(i)));
    kept.store.append(sequences[i] ?? 0, kept.outbox.storeNewest(), () => {});
    await kept.store.close();
  }

  assert.equal(new Set(openings).size, 3);
  assert.deepEqual(sequences, [0, 1, 2]);
});

test("a folder open in one agent is refused to another until it is closed", async () => {
  const folder = newFolder();
  const first = new Kept(folder);

  assert.throws(() => openFileOutbox({ folder, bytesMax: 1_000 }), { code: "outbox_locked" });
  await first.store.close();

  await new Kept(folder).store.close();
});

test("files and folder are their owner's only", async () => {
  const folder = newFolder();
  const kept = new Kept(folder);
  await kept.add(numbered(1));

  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of readdirSync(folder))
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  await kept.store.close();
});

test("a power cut that leaves the file cut short at any byte leaves the first messages, whole and in order", async () => {
  const folder = newFolder();
  const kept = new Kept(folder);
  for (let n = 0; n < 6; n++) await kept.add(numbered(n, 4 + n));
  await kept.store.close();
  const [name = ""] = segmentsIn(folder);
  const used = readFileSync(join(folder, name)).findLastIndex((byte) => byte !== 0) + 1;

  let least = 6;
  for (let length = used; length >= 0; length--) {
    const cut = newFolder();
    cpSync(folder, cut, { recursive: true });
    truncateSync(join(cut, name), length);

    const recovered = new Kept(cut);

    const numbers = recovered.numbers();
    assert.deepEqual(numbers, [0, 1, 2, 3, 4, 5].slice(0, numbers.length), `cut to ${length} bytes`);
    assert.ok(numbers.length <= least, `cut to ${length} bytes`);
    least = numbers.length;
    await recovered.store.close();
    rmSync(cut, { recursive: true });
  }
  assert.equal(least, 0);
});

test("a bit flipped anywhere costs at most one message, which is told", async () => {
  const folder = newFolder();
  const kept = new Kept(folder);
  for (let n = 0; n < 4; n++) await kept.add(numbered(n, 5));
  await kept.store.close();
  const [name = ""] = segmentsIn(folder);
  const whole = readFileSync(join(folder, name));
  const used = whole.findLastIndex((byte) => byte !== 0) + 1;
  const copy = newFolder();

  for (let bit = 0; bit < used * 8; bit += 11) {
    rmSync(copy, { recursive: true, force: true });
    cpSync(folder, copy, { recursive: true });
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(join(copy, name), flipped);

    const recovered = new Kept(copy);

    const numbers = recovered.numbers();
    assert.ok(numbers.length >= 3, `bit ${bit}`);
    assert.deepEqual(numbers, [...numbers].sort(), `bit ${bit}`);
    const isLastBegin = numbers.length === 3 && !numbers.includes(3);
    assert.ok(numbers.length === 4 || recovered.damaged === 1 || isLastBegin, `bit ${bit}`);
    await recovered.store.close();
  }
});

test("the disk keeps few files however many messages pass, and one at the end", async () => {
  const folder = newFolder();
  const kept = new Kept(folder);
  let most = 0;

  for (let n = 0; n < 1_000; n++) {
    await kept.addPatiently(numbered(n, 100));
    kept.settleOldest();
    most = Math.max(most, segmentsIn(folder).length);
  }
  await kept.store.close();

  // Written, being written, and made ahead.
  assert.ok(most <= 4, `${most} files`);
  const afterwards = new Kept(folder);
  assert.ok(afterwards.numbers().length <= 1);
  await afterwards.store.close();
});

test("old messages that never settle do not keep the disk filling: they are written anew behind the others", async () => {
  const folder = newFolder();
  const bytesMax = 8 * 1024;
  const kept = new Kept(folder, { bytesMax });
  const segmentsMax = (4 * bytesMax) / 4096 + 4;
  const stuck = [0, 1, 2];
  for (const n of stuck) await kept.add(numbered(n, 100));
  for (const _ of stuck) {
    kept.outbox.findNext();
    kept.outbox.advance();
  }
  let most = 0;

  for (let n = 3; n < 2_000; n++) {
    await kept.addPatiently(numbered(n, 100));
    kept.settleOldest();
    most = Math.max(most, segmentsIn(folder).length);
  }
  await kept.store.close();

  assert.ok(most <= segmentsMax, `${most} files`);
  const afterwards = new Kept(folder, { bytesMax });
  assert.deepEqual(
    afterwards.numbers().filter((n) => stuck.includes(n)),
    stuck,
  );
  assert.ok(afterwards.numbers().length <= 4);
  await afterwards.store.close();
});

test("what is not written yet is bounded: above that the outbox is busy, and takes more once the disk has caught up", async () => {
  const kept = new Kept(newFolder(), { bytesMax: 64 * 1024 * 1024, segmentBytes: 2 * 1024 * 1024 });
  const message = numbered(1, 100_000);
  const taken: Promise<Durability>[] = [];
  let refusal: string | undefined;
  while (refusal === undefined && taken.length < 100) {
    taken.push(kept.add(message));
    refusal = kept.store.findRefusal(recordLength(message));
  }

  assert.equal(refusal, "outbox_busy");
  assert.equal(taken.length, Math.floor(unwrittenBytesMax / 100_040));
  assert.deepEqual(new Set(await Promise.all(taken)), new Set(["durable"]));
  assert.equal(kept.store.findRefusal(recordLength(message)), undefined);
  await kept.store.close();
});

test("a message larger than a segment is too large", async () => {
  const kept = new Kept(newFolder());

  assert.equal(kept.store.findRefusal(4096), "too_large");
  assert.notEqual(kept.store.findRefusal(4000), "too_large");
  await kept.store.close();
});

test("close writes what was taken, and takes nothing more", async () => {
  const folder = newFolder();
  const kept = new Kept(folder);
  const durable = kept.add(numbered(1));

  await kept.store.close();

  assert.equal(await durable, "durable");
  assert.equal(kept.store.findRefusal(10), "outbox_disk_failed");
  const afterwards = new Kept(folder);
  assert.deepEqual(afterwards.numbers(), [1]);
  await afterwards.store.close();
});

/**
 * What the agent needs of a microcontroller's memory, by the engine's own account and by heaps of a fixed size.
 *
 * Two figures, never mixed. *Code* is what the loaded bundle takes before anything is made of it; on a chip most of it
 * lies in flash. *Live* is what a connected agent takes on top. Slots count 16 bytes, as on a 32-bit machine; chunks
 * count as the 64-bit worker has them, about 1.3 times what a chip needs. So each figure is an upper bound.
 *
 * A heap of a fixed size holds what it holds: the worker that needs more dies, which is a failure no arithmetic of ours
 * can talk away.
 */
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { isServiceThere, requireService } from "../../tools/services.ts";
import { type LoadedEngine, loadEngine, XsHouse, type XsHouseOptions } from "./xs-house.ts";
import { bytesOf, type HeapUse, heapGrowth, heapUseOf, slotBytes, withFixedHeap } from "./xs-snapshot.ts";
import { XsWorkerDied } from "./xs-worker.ts";

const hourMillis = 3_600_000;
/** The budget: a connected agent with its outbox of 4 KiB, above the code. */
const liveBytesMax = 24 * 1024;
/** What must be free for a renewal. */
const renewalBytesMax = 6 * 1024;
/** Of each budget, what the slots get: two pools, as a chip has them. */
const bootSlotShare = 0.63;
const renewalSlotShare = 0.545;
/** Not the aim (160 KB) but what it is, and a little: growth is to be noticed. */
const codeBytesMax = 310 * 1024;
const outboxBytes = 4_096;
/** Each message in flight is held as its parts until it is acknowledged. */
const inFlightBytesMax = 9 * 1024;
const fourInFlightBytesMax = 2.5 * 1024;

let engine: LoadedEngine | undefined;

before(async () => {
  if (isServiceThere("xs")) engine = await loadEngine();
});

async function arrange(
  t: TestContext,
  snapshot: (engine: LoadedEngine) => Uint8Array,
  agent: XsHouseOptions["agent"] = {},
): Promise<XsHouse> {
  requireService(t, "xs");
  assert.ok(engine !== undefined);
  const house = await XsHouse.arrange({ snapshot: snapshot(engine), agent });
  t.after(() => house.worker.end());
  return house;
}

/** Connected, with a config handled and messages through its outbox. */
async function live(house: XsHouse): Promise<void> {
  await house.evaluate("H.start()");
  await house.run(60_000);
  for (let i = 0; i < 35; i++) {
    await house.evaluate("H.publish(100)");
    await house.run(1_000);
  }
}

const words = ({ slots, chunkBytes }: HeapUse): string =>
  `${bytesOf({ slots, chunkBytes })} bytes: ${slots} slots, ${chunkBytes} bytes of chunks`;

test("the code of the agent and its adapters, before anything is made of it", async (t) => {
  requireService(t, "xs");
  assert.ok(engine !== undefined);
  const code = heapGrowth(heapUseOf(engine.before), heapUseOf(engine.loaded));

  t.diagnostic(`bundle ${engine.bundleBytes} bytes; code ${words(code)}`);
  assert.ok(bytesOf(code) <= codeBytesMax);
});

test("a connected agent with its outbox of 4 KiB lives in 24 KB above its code", async (t) => {
  const house = await arrange(t, ({ loaded }) => loaded);
  await live(house);
  assert.ok(engine !== undefined);

  const use = heapGrowth(heapUseOf(engine.loaded), heapUseOf(await house.worker.snapshot()));

  t.diagnostic(`live ${words(use)}, of which the outbox's ring ${outboxBytes}`);
  assert.equal((await house.status()).acknowledged, 35);
  assert.ok(use.chunkBytes > outboxBytes);
  assert.ok(bytesOf(use) <= liveBytesMax);
});

test("what twenty messages in flight add, while the bridge owes their acknowledgements", async (t) => {
  const house = await arrange(t, ({ loaded }) => loaded);
  await live(house);
  const before = heapUseOf(await house.worker.snapshot());

  for (let i = 0; i < 20; i++) await house.evaluate("H.publish(100)");

  const use = heapGrowth(before, heapUseOf(await house.worker.snapshot()));
  t.diagnostic(`20 messages of 100 bytes in flight: ${words(use)}`);
  assert.equal((await house.status()).queuedMessages, 20);
  assert.ok(bytesOf(use) <= inFlightBytesMax);
});

test("where four may be in flight, twenty messages add less: the others wait in the ring that is there", async (t) => {
  const house = await arrange(t, ({ loaded }) => loaded, { wire: { inFlightMaximum: 4 } });
  await live(house);
  const before = heapUseOf(await house.worker.snapshot());

  for (let i = 0; i < 20; i++) await house.evaluate("H.publish(100)");

  const use = heapGrowth(before, heapUseOf(await house.worker.snapshot()));
  t.diagnostic(`20 messages of 100 bytes, 4 of them in flight: ${words(use)}`);
  assert.equal((await house.status()).queuedMessages, 20);
  assert.ok(bytesOf(use) <= fourInFlightBytesMax);
});

test("an agent boots, publishes and renews in a heap of 30 KB above its code, live and free together", async (t) => {
  const house = await arrange(t, ({ loaded }) =>
    withFixedHeap(loaded, split(liveBytesMax + renewalBytesMax, bootSlotShare)),
  );
  await house.evaluate("H.start()");

  for (let i = 0; i < 20; i++) {
    await house.run(hourMillis);
    await house.evaluate("H.publish(100)");
  }
  await house.run(60_000);

  const status = await house.status();
  assert.equal(status.acknowledged, 20);
  assert.ok(status.renewals >= 20, `${status.renewals} renewals`);
});

test("a connected agent renews with 6 KB free, again and again", async (t) => {
  const house = await arrange(t, ({ loaded }) => loaded);
  await live(house);

  await house.goOnIn(withFixedHeap(await house.worker.snapshot(), split(renewalBytesMax, renewalSlotShare)));
  await house.run(50 * hourMillis);

  assert.ok(house.counts.renewed >= 50, `${house.counts.renewed} renewals`);
  assert.equal(house.counts.connects, 1);
});

test("with 1 KB free the engine dies of a renewal: a fixed heap is fixed", async (t) => {
  const house = await arrange(t, ({ loaded }) => loaded);
  await house.evaluate("H.start()");
  await house.run(60_000);

  await house.goOnIn(withFixedHeap(await house.worker.snapshot(), split(1_024, renewalSlotShare)));

  await assert.rejects(house.run(2 * hourMillis), (error) => {
    return error instanceof XsWorkerDied && error.because === "not enough memory";
  });
});

function split(bytes: number, slotShare: number): HeapUse {
  const slots = Math.floor((bytes * slotShare) / slotBytes);
  return { slots, chunkBytes: bytes - slots * slotBytes };
}

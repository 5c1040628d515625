import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteLink } from "@mayfly/core";
import fc from "fast-check";
import { closeWaitMillis, createNetwork, type NetworkOptions, pausedBytesMax } from "./network.ts";
import { createWorld } from "./world.ts";

/** One link, with everything each end was told. */
function arrange(options: Partial<NetworkOptions> = {}, seed = "network") {
  const world = createWorld({ seed });
  const network = createNetwork(world, { latencyMillis: { least: 5, most: 15 }, ...options });
  const near = { received: [] as number[], told: [] as string[] };
  const far = { received: [] as number[], told: [] as string[] };
  const ends: { far?: ByteLink } = {};
  const listen = (end: typeof near) => ({
    received: (bytes: Uint8Array) => {
      end.received.push(...bytes);
    },
    closed: (because: string) => {
      end.told.push(`closed ${because}`);
    },
  });
  const dialer = network.createDialer("dialer", (link) => {
    ends.far = link;
    return listen(far);
  });
  const link = dialer.connect({ ...listen(near), opened: () => near.told.push("opened") });
  return { world, dialer, link, near, far, ends };
}

test("bytes arrive whole and in order, however they are cut and delayed", async () => {
  const writes = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(writes, fc.nat(), async (parts, seed) => {
      const { world, link, far } = arrange({ pieceBytesMax: 7 }, `${seed}`);
      await world.run(100);

      for (const part of parts) link.write(part);
      await world.run(1_000);

      assert.deepEqual(
        far.received,
        parts.flatMap((part) => [...part]),
      );
    }),
    { numRuns: 30 },
  );
});

test("a close is told to the peer after the bytes before it, and then to the closer", async () => {
  const { world, link, near, far } = arrange();
  await world.run(100);

  link.write(new Uint8Array([1, 2]));
  link.close();
  link.write(new Uint8Array([3]));
  await world.run(15);
  assert.deepEqual(near.told, ["opened"]);
  await world.run(100);

  assert.deepEqual(far.received, [1, 2]);
  assert.deepEqual(far.told, ["closed "]);
  assert.deepEqual(near.told, ["opened", "closed "]);
});

test("whoever has closed reads nothing more", async () => {
  const { world, link, near, ends } = arrange();
  await world.run(100);

  ends.far?.write(new Uint8Array([9]));
  link.close();
  await world.run(100);

  assert.deepEqual(near.received, []);
});

test("an attempt that is given up never opens", async () => {
  const { world, link, near, far } = arrange();

  link.close();
  await world.run(100);

  assert.equal(near.told.includes("opened"), false);
  assert.deepEqual(far.told, []);
});

test("a cut tells both ends and carries nothing more", async () => {
  const { world, dialer, link, near, far } = arrange();
  await world.run(100);

  link.write(new Uint8Array([1]));
  dialer.cut("ECONNRESET");
  await world.run(100);

  assert.deepEqual(far.received, []);
  assert.deepEqual(near.told, ["opened", "closed ECONNRESET"]);
  assert.deepEqual(far.told, ["closed ECONNRESET"]);
  assert.equal(dialer.links, 0);
});

test("silence tells nobody", async () => {
  const { world, dialer, link, near, far } = arrange();
  await world.run(100);

  dialer.silence();
  link.write(new Uint8Array([1]));
  await world.run(10_000);

  assert.deepEqual(far.received, []);
  assert.deepEqual([near.told, far.told], [["opened"], []]);
});

test("an end that closes into silence is over after the close wait", async () => {
  const { world, dialer, link, near } = arrange();
  await world.run(100);
  dialer.silence();

  link.close();
  await world.run(closeWaitMillis - 1);
  assert.deepEqual(near.told, ["opened"]);
  await world.run(1);

  assert.deepEqual(near.told, ["opened", "closed "]);
});

test("a paused end reads later, in order, its end included", async () => {
  const { world, link, far, ends } = arrange();
  await world.run(100);
  ends.far?.pause();
  link.write(new Uint8Array([1]));
  link.write(new Uint8Array([2]));
  link.close();
  await world.run(100);
  assert.deepEqual([far.received, far.told], [[], []]);

  ends.far?.resume();
  await world.run(100);

  assert.deepEqual(far.received, [1, 2]);
  assert.deepEqual(far.told, ["closed "]);
});

test("more than a socket buffer for a paused end breaks the link", async () => {
  const { world, link, near, far, ends } = arrange();
  await world.run(100);
  ends.far?.pause();

  link.write(new Uint8Array(pausedBytesMax));
  await world.run(100);
  assert.deepEqual(far.told, []);
  link.write(new Uint8Array(1));
  await world.run(100);

  assert.deepEqual(far.told, ["closed ENOBUFS"]);
  assert.deepEqual(near.told, ["opened", "closed ENOBUFS"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { appendAll, message } from "../../test/contract/backbone.contract.ts";
import { newRegistry, registryRef } from "../../test/contract/registry-store.contract.ts";
import { seededRandom, VirtualTime } from "../../test/contract/virtual-ports.ts";
import { createMemoryBackbone } from "../backbone/memory/index.ts";
import { StoreError } from "../registry/store.ts";
import { createMemoryRegistryStore } from "../store/memory/index.ts";
import { removeDepartedRegistries } from "./departed-registries.ts";

function openHouse() {
  const time = new VirtualTime();
  const store = createMemoryRegistryStore({ clock: time.clock, random: seededRandom(7) });
  const backbone = createMemoryBackbone({ clock: time.clock, timers: time.timers });
  const failures: string[] = [];
  const begin = (over: Partial<typeof backbone> = {}) =>
    removeDepartedRegistries({
      store,
      backbone: {
        listRegistries: over.listRegistries ?? (() => backbone.listRegistries()),
        removeRegistry: over.removeRegistry ?? ((registry) => backbone.removeRegistry(registry)),
      },
      onFailure: (because) => failures.push(because),
    });
  return { time, store, backbone, failures, begin };
}

/** Lets answers that are due arrive. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a deleted registry leaves the backbone, and one made anew at once keeps what it has", async () => {
  const { time, store, backbone, begin } = openHouse();
  const old = await store.createRegistry(newRegistry());
  const { stop } = begin();
  await appendAll({ backbone, time }, [message("gauge-1", "old", { registry: old })]);

  await store.deleteRegistry(registryRef);
  const anew = await store.createRegistry(newRegistry());
  await appendAll({ backbone, time }, [message("gauge-1", "new", { registry: anew })]);
  await turn();

  const known = await backbone.listRegistries();
  assert.deepEqual(
    known.map(({ numId }) => numId),
    [anew.numId],
  );
  stop();
});

test("what was deleted while nobody served is removed at the start, what lives is not", async () => {
  const { time, store, backbone, begin } = openHouse();
  const alive = await store.createRegistry(newRegistry());
  const gone = { ...alive, numId: "1" };
  const elsewhere = { ...alive, registry: "never-heard-of" };
  await appendAll(
    { backbone, time },
    [alive, gone, elsewhere].map((registry) => message("gauge-1", "x", { registry })),
  );

  const { settled, stop } = begin();
  await settled;

  const known = await backbone.listRegistries();
  assert.deepEqual(
    known.map(({ registry, numId }) => [registry, numId]),
    [[alive.registry, alive.numId]],
  );
  stop();
});

test("a removal that fails is told and ends nothing; after the end nothing is told", async () => {
  const { time, store, backbone, failures, begin } = openHouse();
  const old = await store.createRegistry(newRegistry());
  await appendAll({ backbone, time }, [message("gauge-1", "old", { registry: old })]);
  const { settled, stop } = begin({
    removeRegistry: () => Promise.reject(new StoreError("disk_full", "no room")),
  });
  await settled;

  await store.deleteRegistry(registryRef);
  await turn();
  stop();
  await begin({ listRegistries: () => Promise.reject(new StoreError("closed", "closed")) }).settled;

  assert.deepEqual(failures, ["no room", "closed"]);
});

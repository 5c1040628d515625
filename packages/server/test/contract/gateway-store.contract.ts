/**
 * What every store promises about devices bound to gateways, case by case. `gateway-store.test.ts` runs it on each
 * adapter.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import type { AttachmentRecord, BindingLimits } from "../../src/registry/gateway-store.ts";
import type { RegistryChange } from "../../src/registry/model.ts";
import type { DeviceListFilter, LookUp, RegistryStore } from "../../src/registry/store.ts";
import { deviceRef, key, newDevice, newRegistry, refusal, registryRef } from "./registry-store.contract.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

export type OpenGatewayStore = (ports: {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly bindingLimits: BindingLimits;
}) => Promise<RegistryStore>;

const bindingLimits = { boundDevicesMax: 3, gatewaysPerDeviceMax: 2 };

function newGateway(deviceId: string) {
  return { ...newDevice(deviceId), gatewayType: "GATEWAY", gatewayAuthMethod: "ASSOCIATION_ONLY" } as const;
}

function attachment(store: RegistryStore, device: string, gateway: string): LookUp<AttachmentRecord> {
  const answers: LookUp<AttachmentRecord>[] = [];
  store.lookUpAttachment(deviceRef(device), gateway, (record) => answers.push(record));
  assert.equal(answers.length, 1, "answered once, and at once");
  return answers[0];
}

function isBound(store: RegistryStore, device: string, gateway: string): boolean {
  const record = attachment(store, device, gateway);
  assert.ok(typeof record === "object", `${record}`);
  return record.isBound;
}

async function idsOf(store: RegistryStore, filter: DeviceListFilter): Promise<readonly string[]> {
  const page = await store.listDevices(registryRef, { size: 100 }, filter);
  return page.items.map(({ deviceId }) => deviceId);
}

/** Runs the suite. @param adapter Its name, for the titles. */
export function gatewayStoreContract(adapter: string, open: OpenGatewayStore): void {
  const promises = (name: string, run: (store: RegistryStore) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const store = await open({ time: new VirtualTime(), random: seededRandom(7), bindingLimits });
      try {
        await store.createRegistry(newRegistry());
        for (const id of ["gate-1", "gate-2", "gate-3"]) await store.createDevice(newGateway(id));
        for (const id of ["gauge-1", "gauge-2", "gauge-3", "gauge-4"]) {
          await store.createDevice(newDevice(id, [key(id)]));
        }
        await run(store);
      } finally {
        await store.close();
      }
    });
  };

  promises(
    "a device is bound to a gateway until it is unbound, each by string id or numId",
    async (store) => {
      const gateway = await store.findDevice(deviceRef("gate-1"));
      const device = await store.findDevice(deviceRef("gauge-1"));
      assert.ok(gateway && device);

      await store.bindDevice(registryRef, gateway.numId, "gauge-1");
      assert.deepEqual(
        [isBound(store, "gauge-1", "gate-1"), isBound(store, device.numId, "gate-1")],
        [true, true],
      );
      assert.equal(isBound(store, "gauge-1", "gate-2"), false);
      assert.equal(isBound(store, "gauge-2", "gate-1"), false);

      await store.unbindDevice(registryRef, "gate-1", device.numId);
      assert.equal(isBound(store, "gauge-1", "gate-1"), false);
    },
  );

  promises("an attach is looked up with what an admission needs of the device", async (store) => {
    await store.bindDevice(registryRef, "gate-1", "gauge-1");

    const record = attachment(store, "gauge-1", "gate-1");
    const admission = await new Promise<unknown>((answer) => {
      store.lookUpAdmission(deviceRef("gauge-1"), answer);
    });

    assert.ok(typeof record === "object");
    const { isBound: bound, ...rest } = record;
    assert.equal(bound, true);
    assert.deepEqual(rest, admission);
    const unknown = attachment(store, "gauge-9", "gate-1");
    assert.ok(typeof unknown === "object");
    assert.deepEqual([unknown.device, unknown.isBound], [undefined, false]);
    store.lookUpAttachment({ ...deviceRef("gauge-1"), registry: "nowhere" }, "gate-1", (found) =>
      assert.equal(found, undefined),
    );
  });

  promises("each binding and unbinding is told once, with its device and its gateway", async (store) => {
    const changes: RegistryChange[] = [];
    store.onChange((change) => changes.push(change));

    await store.bindDevice(registryRef, "gate-1", "gauge-1");
    await store.bindDevice(registryRef, "gate-1", "gauge-1");
    await store.unbindDevice(registryRef, "gate-1", "gauge-1");
    await assert.rejects(store.unbindDevice(registryRef, "gate-1", "gauge-1"), refusal("not_found"));

    const told = changes.map(({ kind, deviceId, gatewayId }) => [kind, deviceId, gatewayId].join(" "));
    assert.deepEqual(told, ["device_bound gauge-1 gate-1", "device_unbound gauge-1 gate-1"]);
    assert.deepEqual(changes[0]?.registry, registryRef);
  });

  promises("only a gateway has devices, and a gateway is bound to none", async (store) => {
    await assert.rejects(store.bindDevice(registryRef, "gauge-1", "gauge-2"), refusal("not_gateway"));
    await assert.rejects(store.bindDevice(registryRef, "gate-1", "gate-2"), refusal("is_gateway"));
    await assert.rejects(store.bindDevice(registryRef, "gate-9", "gauge-1"), refusal("not_found"));
    await assert.rejects(store.bindDevice(registryRef, "gate-1", "gauge-9"), refusal("not_found"));
    await assert.rejects(store.unbindDevice(registryRef, "gate-9", "gauge-1"), refusal("not_found"));
  });

  promises("a gateway has so many devices and no more, and one unbound makes room", async (store) => {
    for (const id of ["gauge-1", "gauge-2", "gauge-3"]) await store.bindDevice(registryRef, "gate-1", id);

    await assert.rejects(store.bindDevice(registryRef, "gate-1", "gauge-4"), refusal("too_many_bound"));
    await store.bindDevice(registryRef, "gate-1", "gauge-3");
    await store.unbindDevice(registryRef, "gate-1", "gauge-3");
    await store.bindDevice(registryRef, "gate-1", "gauge-4");
  });

  promises("a device has so many gateways and no more, and one unbound makes room", async (store) => {
    for (const id of ["gate-1", "gate-2"]) await store.bindDevice(registryRef, id, "gauge-1");

    await assert.rejects(store.bindDevice(registryRef, "gate-3", "gauge-1"), refusal("too_many_bound"));
    await store.unbindDevice(registryRef, "gate-1", "gauge-1");
    await store.bindDevice(registryRef, "gate-3", "gauge-1");
  });

  promises("what is bound is not deleted, neither device nor gateway, until it is unbound", async (store) => {
    await store.bindDevice(registryRef, "gate-1", "gauge-1");

    await assert.rejects(store.deleteDevice(deviceRef("gauge-1")), refusal("bound"));
    await assert.rejects(store.deleteDevice(deviceRef("gate-1")), refusal("bound"));
    assert.ok(await store.findDevice(deviceRef("gauge-1")));

    await store.unbindDevice(registryRef, "gate-1", "gauge-1");
    await store.deleteDevice(deviceRef("gauge-1"));
    await store.deleteDevice(deviceRef("gate-1"));
  });

  promises("a device made anew under the name of a bound one is bound to nothing", async (store) => {
    await store.bindDevice(registryRef, "gate-1", "gauge-1");
    await store.unbindDevice(registryRef, "gate-1", "gauge-1");
    await store.deleteDevice(deviceRef("gauge-1"));

    await store.createDevice(newDevice("gauge-1"));

    assert.equal(isBound(store, "gauge-1", "gate-1"), false);
  });

  promises("lists hold the devices of a gateway, or the gateways of a device", async (store) => {
    const gateway = await store.findDevice(deviceRef("gate-1"));
    await store.bindDevice(registryRef, "gate-1", "gauge-3");
    await store.bindDevice(registryRef, "gate-1", "gauge-1");
    await store.bindDevice(registryRef, "gate-2", "gauge-1");

    assert.deepEqual(await idsOf(store, { boundToGateway: "gate-1" }), ["gauge-1", "gauge-3"]);
    assert.deepEqual(await idsOf(store, { boundToGateway: gateway?.numId ?? "" }), ["gauge-1", "gauge-3"]);
    assert.deepEqual(await idsOf(store, { gatewaysOfDevice: "gauge-1" }), ["gate-1", "gate-2"]);
    assert.deepEqual(await idsOf(store, { gatewaysOfDevice: "gauge-2" }), []);
    assert.deepEqual(await idsOf(store, { boundToGateway: "gauge-1" }), []);
    assert.deepEqual(await idsOf(store, { boundToGateway: "gate-1", ids: ["gauge-2", "gauge-3"] }), [
      "gauge-3",
    ]);
    assert.deepEqual(await idsOf(store, { gatewaysOfDevice: "gauge-1", ids: ["gate-2", "gate-3"] }), [
      "gate-2",
    ]);
    assert.deepEqual(await idsOf(store, { boundToGateway: "gate-1", gatewaysOfDevice: "gauge-1" }), []);
    await assert.rejects(idsOf(store, { boundToGateway: "gate-9" }), refusal("not_found"));
    await assert.rejects(idsOf(store, { gatewaysOfDevice: "gauge-9" }), refusal("not_found"));
  });

  promises(
    "the devices of a gateway come in pages, and a change between two loses none of the others",
    async (store) => {
      for (const id of ["gauge-1", "gauge-3", "gauge-4"]) await store.bindDevice(registryRef, "gate-1", id);
      const filter = { boundToGateway: "gate-1" };

      const first = await store.listDevices(registryRef, { size: 1 }, filter);
      await store.unbindDevice(registryRef, "gate-1", "gauge-1");
      const second = await store.listDevices(
        registryRef,
        { size: 2, token: first.nextPageToken ?? "" },
        filter,
      );

      assert.deepEqual(
        [...first.items, ...second.items].map(({ deviceId }) => deviceId),
        ["gauge-1", "gauge-3", "gauge-4"],
      );
      assert.equal(second.nextPageToken, undefined);
    },
  );

  test(`${adapter}: a store that is closed answers an attach with its own trouble`, async () => {
    const store = await open({ time: new VirtualTime(), random: seededRandom(7), bindingLimits });
    await store.close();

    assert.equal(attachment(store, "gauge-1", "gate-1"), "unavailable");
    await assert.rejects(store.bindDevice(registryRef, "gate-1", "gauge-1"), refusal("closed"));
  });
}

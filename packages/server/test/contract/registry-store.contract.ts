/**
 * What every registry store promises, case by case. `registry-store.test.ts` runs it on each adapter.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import { policyPresets } from "@mayfly/core/token";
import { type AttemptRecord, recordClassOf, recordsKeptMax } from "../../src/auth/authentication-record.ts";
import {
  eventRetentionDefault,
  type KeyRecord,
  type RegistryChange,
  type RegistryRecord,
} from "../../src/registry/model.ts";
import type { RegistryStore, StoreErrorCode } from "../../src/registry/store.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

export interface OpenedStore {
  readonly store: RegistryStore;
  readonly time: VirtualTime;
}

export type OpenStore = (ports: {
  readonly time: VirtualTime;
  readonly random: Random;
}) => Promise<RegistryStore>;

export const registryRef = { project: "mayfly", location: "europe-west1", registry: "gauges" };

export function newRegistry(
  preset: "strict" | "iot-core" = "strict",
): Omit<RegistryRecord, "numId" | "createdMs" | "updatedMs"> {
  return {
    ...registryRef,
    policy: policyPresets[preset],
    retention: eventRetentionDefault,
    mqttEnabled: true,
    httpEnabled: true,
    logLevel: "NONE",
    eventNotificationConfigs: [],
    stateNotificationTopic: "",
    credentials: [],
  };
}

export function key(name: string, state: KeyRecord["state"] = "active"): KeyRecord {
  const fingerprint = Buffer.from(name.padEnd(32, ".")).toString("hex");
  return {
    keyId: fingerprint.slice(0, 16),
    state,
    format: "ES256_PEM",
    pem: `pem of ${name}`,
    fingerprint,
    createdMs: 1,
  };
}

export function newDevice(deviceId: string, keys: readonly KeyRecord[] = []) {
  return {
    ...registryRef,
    deviceId,
    blocked: false,
    logLevel: "NONE",
    metadata: {},
    gatewayType: "NON_GATEWAY",
    gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
    keys,
  } as const;
}

export function deviceRef(device: string) {
  return { ...registryRef, device };
}

/** An attempt that happened at `ms`, of a key unless told otherwise. */
export function attempt(ms: number, change: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    kind: "attempt",
    arrivalMs: ms,
    lastMs: ms,
    attempts: 1,
    bridge: "mqtt",
    purpose: "connect",
    outcome: "accepted",
    authenticity: "authentic",
    isFirstSeen: true,
    iat: 1_800_000_000,
    exp: 1_800_003_600,
    u: 2,
    offsetSeconds: -1.5,
    keyId: "k",
    slot: 0,
    remoteAddress: "192.0.2.1",
    tlsVersion: "TLSv1.3",
    tlsResumed: false,
    ...change,
  };
}

export function refusal(code: StoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof Error && "code" in error && error.code === code;
}

/** Runs the suite. @param adapter Its name, for the titles. */
export function registryStoreContract(adapter: string, open: OpenStore): void {
  const promises = (
    name: string,
    run: (opened: OpenedStore) => Promise<void>,
    random: () => Random = () => seededRandom(7),
  ): void => {
    test(`${adapter}: ${name}`, async () => {
      const time = new VirtualTime();
      const store = await open({ time, random: random() });
      try {
        await store.createRegistry(newRegistry());
        await run({ store, time });
      } finally {
        await store.close();
      }
    });
  };
  const admission = (store: RegistryStore, device: string) => {
    let found: unknown;
    store.lookUpAdmission(deviceRef(device), (record) => {
      found = record === "unavailable" ? record : record?.device;
    });
    return found;
  };

  promises("a registry reads back as it was written", async ({ store }) => {
    const found = await store.findRegistry(registryRef);

    assert.match(found?.numId ?? "", /^[1-9][0-9]{15}$/);
    assert.ok(found);
    const { numId: _numId, createdMs: _created, updatedMs: _updated, ...rest } = found;
    assert.deepEqual(rest, newRegistry());
  });

  promises(
    "a registry is made once, changed in the fields given, and deleted only when empty",
    async ({ store }) => {
      await assert.rejects(store.createRegistry(newRegistry()), refusal("already_exists"));
      const changed = await store.updateRegistry(registryRef, { mqttEnabled: false });
      assert.equal(changed.mqttEnabled, false);
      assert.deepEqual(changed.policy, policyPresets.strict);
      await store.createDevice(newDevice("gauge-1"));
      await assert.rejects(store.deleteRegistry(registryRef), refusal("not_empty"));
      await store.deleteDevice(deviceRef("gauge-1"));
      await store.deleteRegistry(registryRef);
      assert.equal(await store.findRegistry(registryRef), undefined);
      await assert.rejects(store.deleteRegistry(registryRef), refusal("not_found"));
    },
  );

  promises("registries are listed in pages, ordered, of one project and location", async ({ store }) => {
    for (const [location, registry] of [
      ["us-central1", "aaa"],
      ["europe-west1", "zzz"],
    ] as const) {
      await store.createRegistry({ ...newRegistry(), location, registry });
    }
    await store.createRegistry({ ...newRegistry(), project: "other" });

    const first = await store.listRegistries({ project: "mayfly" }, { size: 2 });
    const second = await store.listRegistries(
      { project: "mayfly" },
      { size: 2, token: first.nextPageToken ?? "" },
    );
    const european = await store.listRegistries(
      { project: "mayfly", location: "europe-west1" },
      { size: 10 },
    );

    const names = [...first.items, ...second.items].map((item) => `${item.location}/${item.registry}`);
    assert.deepEqual(names, ["europe-west1/gauges", "europe-west1/zzz", "us-central1/aaa"]);
    assert.equal(second.nextPageToken, undefined);
    assert.equal(european.items.length, 2);
  });

  promises("a device reads back as it was written, by its id and by its numId", async ({ store }) => {
    const keys = [{ ...key("a"), slot: 0, expiresAtSeconds: 1_900_000_000.5 }, key("b", "pending")];
    const made = await store.createDevice({
      ...newDevice("gauge-1", keys),
      metadata: { site: "Löwen" },
      tokensNotBeforeSeconds: 5,
      config: Uint8Array.of(1, 2),
    });

    assert.match(made.numId, /^[1-9][0-9]{15}$/);
    assert.deepEqual(made.keys, keys);
    assert.deepEqual(made.metadata, { site: "Löwen" });
    assert.equal(made.config.version, 1);
    assert.deepEqual([...made.config.binaryData], [1, 2]);
    assert.deepEqual(await store.findDevice(deviceRef("gauge-1")), made);
    assert.deepEqual(await store.findDevice(deviceRef(made.numId)), made);
    assert.equal(await store.findDevice(deviceRef("gauge-2")), undefined);
    await assert.rejects(store.createDevice(newDevice("gauge-1")), refusal("already_exists"));
  });

  promises("a device needs its registry", async ({ store }) => {
    const elsewhere = { ...newDevice("gauge-1"), registry: "nowhere" };
    await assert.rejects(store.createDevice(elsewhere), refusal("not_found"));
    await assert.rejects(
      store.listDevices({ ...registryRef, registry: "nowhere" }, { size: 1 }),
      refusal("not_found"),
    );
  });

  promises("devices are listed by keyset in the order of their ids, each once", async ({ store }) => {
    for (const id of ["c3", "a1", "B2", "a10", "d4"]) await store.createDevice(newDevice(id));

    const ids: string[] = [];
    let token: string | undefined;
    do {
      const page = await store.listDevices(
        registryRef,
        token === undefined ? { size: 2 } : { size: 2, token },
      );
      ids.push(...page.items.map((item) => item.deviceId));
      token = page.nextPageToken;
      // Made and removed behind the cursor, while the list is read: neither shifts what is still to come.
      if (ids.length === 2) await store.createDevice(newDevice("A0"));
    } while (token !== undefined);

    assert.deepEqual(ids, ["B2", "a1", "a10", "c3", "d4"]);
  });

  promises("a list is restricted to the ids and numIds that exist, and to gateways", async ({ store }) => {
    await store.createDevice(newDevice("a1"));
    const gateway = await store.createDevice({ ...newDevice("b2"), gatewayType: "GATEWAY" });
    await store.createDevice(newDevice("c3"));

    const some = await store.listDevices(
      registryRef,
      { size: 9 },
      { ids: ["c3", gateway.numId, "nobody", "c3"] },
    );
    const gateways = await store.listDevices(registryRef, { size: 9 }, { gatewayType: "GATEWAY" });
    const others = await store.listDevices(registryRef, { size: 9 }, { gatewayType: "NON_GATEWAY" });

    assert.deepEqual(
      some.items.map((item) => item.deviceId),
      ["b2", "c3"],
    );
    assert.deepEqual(
      gateways.items.map((item) => item.deviceId),
      ["b2"],
    );
    assert.deepEqual(
      others.items.map((item) => item.deviceId),
      ["a1", "c3"],
    );
  });

  promises("a patch leaves what it does not name, and null clears tokensNotBefore", async ({ store }) => {
    await store.createDevice({ ...newDevice("gauge-1", [key("a")]), metadata: { a: "1" } });

    const blocked = await store.updateDevice(deviceRef("gauge-1"), {
      blocked: true,
      tokensNotBeforeSeconds: 7,
    });
    const cleared = await store.updateDevice(deviceRef("gauge-1"), { tokensNotBeforeSeconds: null });

    assert.equal(blocked.tokensNotBeforeSeconds, 7);
    assert.deepEqual(blocked.metadata, { a: "1" });
    assert.equal(blocked.keys.length, 1);
    assert.equal(cleared.blocked, true);
    assert.equal("tokensNotBeforeSeconds" in cleared, false);
    await assert.rejects(store.updateDevice(deviceRef("nobody"), { blocked: true }), refusal("not_found"));
  });

  promises(
    "the last instruction and the chip on record are kept, and null clears the chip",
    async ({ store }) => {
      await store.createDevice(newDevice("gauge-1", [key("a")]));
      const instruction = {
        number: 7,
        scope: "offer-key",
        slot: 1,
        issuedAtSeconds: 1,
        expiresAtSeconds: 2,
        challenge: "00".repeat(20),
      } as const;
      const attestation = { chipSerial: "01237a1b4d2e3c91ee", slot: 1, pem: "PEM" };

      await store.updateDevice(deviceRef("gauge-1"), { instruction, attestation });
      const kept = await store.findDevice(deviceRef("gauge-1"));
      const { challenge: _used, ...answered } = { ...instruction, outcome: "done", outcomeMs: 5 } as const;
      await store.updateDevice(deviceRef("gauge-1"), { instruction: answered, attestation: null });
      const after = await store.findDevice(deviceRef("gauge-1"));

      assert.deepEqual([kept?.instruction, kept?.attestation], [instruction, attestation]);
      assert.deepEqual(after?.instruction, answered);
      assert.ok(after !== undefined && !("attestation" in after));
      assert.equal(after.keys.length, 1);
    },
  );

  promises("a retired key no longer verifies, yet stays on record", async ({ store }) => {
    await store.createDevice(newDevice("gauge-1", [key("a"), key("b")]));

    await store.updateDevice(deviceRef("gauge-1"), { keys: [key("a", "retired"), key("b")] });

    const found = admission(store, "gauge-1") as { keys: readonly KeyRecord[] };
    assert.deepEqual(
      found.keys.map((one) => one.state),
      ["retired", "active"],
    );
  });

  promises("strict refuses a public key that another device of the project has", async ({ store }) => {
    await store.createDevice(newDevice("gauge-1", [key("a")]));
    await store.createRegistry({ ...newRegistry(), registry: "second" });
    await store.createRegistry({ ...newRegistry(), project: "other" });
    await store.createDevice(newDevice("gauge-3"));

    await assert.rejects(store.createDevice(newDevice("gauge-2", [key("a")])), refusal("key_taken"));
    const inSecond = { ...newDevice("gauge-2", [key("a")]), registry: "second" };
    await assert.rejects(store.createDevice(inSecond), refusal("key_taken"));
    await assert.rejects(
      store.updateDevice(deviceRef("gauge-3"), { keys: [key("a")] }),
      refusal("key_taken"),
    );
    assert.equal(await store.findDevice(deviceRef("gauge-2")), undefined);
    await store.createDevice({ ...newDevice("gauge-2", [key("a")]), project: "other" });
    await store.deleteDevice(deviceRef("gauge-1"));
    await store.createDevice(newDevice("gauge-2", [key("a")]));
  });

  promises("iot-core takes a public key twice", async ({ store }) => {
    await store.createDevice(newDevice("gauge-1", [key("a")]));
    await store.createRegistry({ ...newRegistry("iot-core"), registry: "tolerant" });

    const twin = await store.createDevice({ ...newDevice("gauge-2", [key("a")]), registry: "tolerant" });

    assert.equal(twin.keys.length, 1);
  });

  promises("a revoked key is refused for every device of the project, for ever", async ({ store }) => {
    await store.createRegistry({ ...newRegistry("iot-core"), registry: "tolerant" });
    await store.createDevice(newDevice("gauge-1", [key("a")]));
    await store.updateDevice(deviceRef("gauge-1"), { keys: [key("a", "revoked")] });

    await assert.rejects(store.createDevice(newDevice("gauge-2", [key("a")])), refusal("key_taken"));
    await assert.rejects(
      store.createDevice({ ...newDevice("gauge-2", [key("a")]), registry: "tolerant" }),
      refusal("key_taken"),
    );
    await assert.rejects(
      store.updateDevice(deviceRef("gauge-1"), { keys: [key("a")] }),
      refusal("key_taken"),
    );
    await store.deleteDevice(deviceRef("gauge-1"));
    await assert.rejects(store.createDevice(newDevice("gauge-1", [key("a")])), refusal("key_taken"));
  });

  promises(
    "a config's version grows by one from 1, and must match where a version is asked",
    async ({ store }) => {
      await store.createDevice(newDevice("gauge-1"));

      const second = await store.modifyConfig(deviceRef("gauge-1"), Uint8Array.of(2), 1);
      const third = await store.modifyConfig(deviceRef("gauge-1"), Uint8Array.of(3), 0);

      assert.deepEqual([second.version, third.version], [2, 3]);
      await assert.rejects(
        store.modifyConfig(deviceRef("gauge-1"), Uint8Array.of(4), 1),
        refusal("version_mismatch"),
      );
      await assert.rejects(
        store.modifyConfig(deviceRef("nobody"), Uint8Array.of(4), 0),
        refusal("not_found"),
      );
      let latest: unknown;
      store.lookUpConfig(deviceRef("gauge-1"), (config) => {
        latest = config === "unavailable" ? config : config?.version;
      });
      assert.equal(latest, 3);
    },
  );

  promises("ten configs and ten states are kept, the newest, newest first", async ({ store }) => {
    await store.createDevice(newDevice("gauge-1"));
    for (let n = 1; n <= 12; n += 1) {
      await store.modifyConfig(deviceRef("gauge-1"), Uint8Array.of(n), 0);
      await store.appendState(deviceRef("gauge-1"), { updateMs: n, binaryData: Uint8Array.of(n) });
    }

    const configs = await store.listConfigVersions(deviceRef("gauge-1"), 100);
    const states = await store.listStates(deviceRef("gauge-1"), 100);
    const device = await store.findDevice(deviceRef("gauge-1"));

    assert.deepEqual(
      configs.map((one) => one.version),
      [13, 12, 11, 10, 9, 8, 7, 6, 5, 4],
    );
    assert.deepEqual(
      states.map((one) => one.updateMs),
      [12, 11, 10, 9, 8, 7, 6, 5, 4, 3],
    );
    assert.equal((await store.listStates(deviceRef("gauge-1"), 2)).length, 2);
    assert.deepEqual([...(device?.state?.binaryData ?? [])], [12]);
    await assert.rejects(
      store.appendState(deviceRef("nobody"), { updateMs: 1, binaryData: new Uint8Array() }),
      refusal("not_found"),
    );
  });

  promises(
    "the first acknowledgement of a config counts, and an unknown version is ignored",
    async ({ store }) => {
      await store.createDevice(newDevice("gauge-1"));

      await store.acknowledgeConfig(deviceRef("gauge-1"), 1, 111);
      await store.acknowledgeConfig(deviceRef("gauge-1"), 1, 222);
      await store.acknowledgeConfig(deviceRef("gauge-1"), 9, 333);
      await store.acknowledgeConfig(deviceRef("nobody"), 1, 444);

      const [config] = await store.listConfigVersions(deviceRef("gauge-1"), 1);
      assert.equal(config?.deviceAckMs, 111);
    },
  );

  promises(
    "the numId of a deleted device is never given again, even if chance would have it so",
    async ({ store }) => {
      const made = await store.createDevice(newDevice("gauge-1"));
      await store.deleteDevice(deviceRef("gauge-1"));
      const second = await store.createDevice(newDevice("gauge-1"));
      const third = await store.createDevice(newDevice("gauge-2"));

      assert.equal(new Set([made.numId, second.numId, third.numId]).size, 3);
      assert.equal(await store.findDevice(deviceRef(made.numId)), undefined);
      await assert.rejects(store.createDevice(newDevice("gauge-3")), refusal("store_failed"));
    },
    // Four numbers in turn and no others: the registry has the first.
    () => {
      let drawn = 0;
      return { fill: (bytes) => bytes.fill(drawn++ % 4) };
    },
  );

  promises(
    "admission tells an unknown registry from an unknown device, and is true at once",
    async ({ store }) => {
      await store.createDevice(newDevice("gauge-1", [key("a")]));
      let unknownRegistry: unknown = "unanswered";
      store.lookUpAdmission({ ...deviceRef("gauge-1"), registry: "nowhere" }, (record) => {
        unknownRegistry = record;
      });
      let known: { registry: { policy: unknown } } | undefined;
      store.lookUpAdmission(deviceRef("nobody"), (record) => {
        known = record === "unavailable" ? undefined : record;
      });

      assert.equal(unknownRegistry, undefined);
      assert.deepEqual(known?.registry.policy, policyPresets.strict);
      assert.equal(admission(store, "nobody"), undefined);
      await store.updateDevice(deviceRef("gauge-1"), { blocked: true });
      assert.equal((admission(store, "gauge-1") as { blocked: boolean }).blocked, true);
      await store.updateRegistry(registryRef, { policy: policyPresets["iot-core"] });
      store.lookUpAdmission(deviceRef("gauge-1"), (record) => {
        known = record === "unavailable" ? undefined : record;
      });
      assert.deepEqual(known?.registry.policy, policyPresets["iot-core"]);
    },
  );

  promises("a retiring key without a date is never written", async ({ store }) => {
    const undated = key("a", "retiring");
    const made = await store.createDevice(newDevice("gauge-1", [{ ...undated, expiresAtSeconds: 5 }]));

    await assert.rejects(store.createDevice(newDevice("gauge-2", [undated])), /retiring without a date/);
    await assert.rejects(store.updateDevice(deviceRef("gauge-1"), { keys: [undated] }), /without a date/);

    assert.deepEqual(await store.findDevice(deviceRef("gauge-1")), made);
    assert.equal(await store.findDevice(deviceRef("gauge-2")), undefined);
  });

  promises(
    "a closed store says unavailable to a device's look-ups, not that there is no such device",
    async ({ store }) => {
      await store.createDevice(newDevice("gauge-1", [key("a")]));

      await store.close();

      const answers: unknown[] = [];
      store.lookUpAdmission(deviceRef("gauge-1"), (record) => answers.push(record));
      store.lookUpConfig(deviceRef("gauge-1"), (config) => answers.push(config));
      assert.deepEqual(answers, ["unavailable", "unavailable"]);
    },
  );

  promises(
    "last-seen facts of a device become one, the newest of each, within 5 s",
    async ({ store, time }) => {
      await store.createDevice(newDevice("gauge-1"));
      const device = deviceRef("gauge-1");
      store.recordActivity({
        device,
        activity: { heartbeatMs: 1, errorMs: 1, errorCode: 7, errorMessage: "old" },
      });
      store.recordActivity({ device, activity: { heartbeatMs: 2, eventMs: 2 } });
      store.recordActivity({ device, activity: { errorMs: 3 } });
      store.recordActivity({ device: deviceRef("nobody"), activity: { heartbeatMs: 1 } });

      time.advance(5_000);
      // Writes keep their order: when this one is answered, those before it are done.
      await store.updateDevice(device, {});

      const found = await store.findDevice(device);
      assert.deepEqual(found?.activity, { heartbeatMs: 2, eventMs: 2, errorMs: 3 });
    },
  );

  promises(
    "authentication records come back whole and newest first, and one of the same series is replaced",
    async ({ store, time }) => {
      const { numId } = await store.createDevice(newDevice("gauge-1"));
      const device = deviceRef(numId);
      const refused = attempt(2, { outcome: "token_expired", tlsResumed: true });
      const evidence = {
        kind: "evidence",
        arrivalMs: 3,
        evidence: "token_reused",
        remoteAddresses: ["192.0.2.1", "198.51.100.7"],
        keyId: "k",
        otherDevice: "projects/mayfly/locations/europe-west1/registries/gauges/devices/gauge-2",
      } as const;

      store.recordAuthentication({ device, series: "a", record: attempt(1) });
      store.recordAuthentication({ device, series: "b", record: refused });
      store.recordAuthentication({ device, series: "c", record: evidence });
      time.advance(5_000);
      await store.updateDevice(device, {});
      store.recordAuthentication({ device, series: "a", record: attempt(1, { lastMs: 4, attempts: 9 }) });
      time.advance(5_000);
      await store.updateDevice(device, {});

      const all = [attempt(1, { lastMs: 4, attempts: 9 }), evidence, refused];
      assert.deepEqual(await store.listAuthentications(deviceRef("gauge-1"), 50), all);
      assert.deepEqual(await store.listAuthentications(deviceRef("gauge-1"), 2), all.slice(0, 2));
    },
  );

  promises(
    "what nobody proved never pushes out what a key proved, and each has its maximum",
    async ({ store, time }) => {
      const { numId } = await store.createDevice(newDevice("gauge-1"));
      const device = deviceRef(numId);
      for (let n = 0; n < recordsKeptMax.proved + 5; n += 1) {
        store.recordAuthentication({ device, series: `p${n}`, record: attempt(n) });
      }
      for (let n = 0; n < 200; n += 1) {
        const record = attempt(1_000 + n, { authenticity: "unchecked", outcome: "device_blocked" });
        store.recordAuthentication({ device, series: `u${n}`, record });
      }
      time.advance(5_000);
      await store.updateDevice(device, {});

      const listed = await store.listAuthentications(device, 1_000);
      const proved = listed.filter((one) => recordClassOf(one) === "proved");
      const unproved = listed.filter((one) => recordClassOf(one) === "unproved");
      assert.deepEqual(
        [proved.length, proved[0]?.arrivalMs, unproved.length, unproved[0]?.arrivalMs],
        [recordsKeptMax.proved, recordsKeptMax.proved + 4, recordsKeptMax.unproved, 1_199],
      );
    },
  );

  promises(
    "a device that is unknown or gone has no authentication records, nor does its successor of the same name",
    async ({ store, time }) => {
      const { numId } = await store.createDevice(newDevice("gauge-1"));
      store.recordAuthentication({ device: deviceRef(numId), series: "a", record: attempt(1) });
      time.advance(5_000);
      await store.deleteDevice(deviceRef("gauge-1"));
      await store.createDevice(newDevice("gauge-1"));
      store.recordAuthentication({ device: deviceRef(numId), series: "b", record: attempt(2) });
      store.recordAuthentication({ device: deviceRef("nobody"), series: "c", record: attempt(3) });
      time.advance(5_000);
      await store.updateDevice(deviceRef("gauge-1"), {});

      assert.deepEqual(await store.listAuthentications(deviceRef("gauge-1"), 50), []);
      await assert.rejects(store.listAuthentications(deviceRef("nobody"), 50), refusal("not_found"));
    },
  );

  promises("admin tokens are found by their hash, listed, and removed once", async ({ store }) => {
    const token = { hash: "ab".repeat(32), name: "laptop", loopbackOnly: true, createdMs: 1 };
    await store.addAdminToken(token);
    await store.addAdminToken({ ...token, hash: "cd".repeat(32), loopbackOnly: false, expiresMs: 9 });

    assert.deepEqual(await store.findAdminToken(token.hash), token);
    assert.equal((await store.listAdminTokens()).length, 2);
    await assert.rejects(store.addAdminToken(token), refusal("already_exists"));
    assert.equal(await store.removeAdminToken(token.hash), true);
    assert.equal(await store.removeAdminToken(token.hash), false);
    assert.equal(await store.findAdminToken(token.hash), undefined);
  });

  promises(
    "each committed change is told once, in order, and a refused one not at all",
    async ({ store, time }) => {
      const told: RegistryChange[] = [];
      const stop = store.onChange((change) => told.push(change));
      await store.createDevice(newDevice("gauge-1"));
      await assert.rejects(store.createDevice(newDevice("gauge-1")));
      const device = await store.findDevice(deviceRef("gauge-1"));
      await store.updateDevice(deviceRef(device?.numId ?? ""), { blocked: true });
      await store.modifyConfig(deviceRef("gauge-1"), Uint8Array.of(1), 0);
      await store.appendState(deviceRef("gauge-1"), { updateMs: 1, binaryData: Uint8Array.of(1) });
      await store.deleteDevice(deviceRef("gauge-1"));
      time.advance(1_000);
      stop();
      await store.updateRegistry(registryRef, { logLevel: "DEBUG" });

      const kinds = told.map((change) => `${change.kind} ${change.deviceId}`);
      assert.deepEqual(
        kinds,
        ["device_created", "device_updated", "config_updated", "device_deleted"].map(
          (kind) => `${kind} gauge-1`,
        ),
      );
      assert.ok(told.every((change, index) => change.sequence > (told[index - 1]?.sequence ?? 0)));
      assert.deepEqual(told[0]?.registry, registryRef);
    },
  );

  promises("a closed store finishes what was asked and refuses what is new", async ({ store }) => {
    const last = store.createDevice(newDevice("gauge-1"));

    await store.close();

    assert.equal((await last).deviceId, "gauge-1");
    await assert.rejects(store.createDevice(newDevice("gauge-2")), refusal("closed"));
    await assert.rejects(store.findDevice(deviceRef("gauge-1")), refusal("closed"));
    assert.equal(store.status().healthy, false);
  });
}

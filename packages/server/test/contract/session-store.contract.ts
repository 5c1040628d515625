/**
 * What every store promises about Sessions that outlive their connection, case by case.
 * `session-store.test.ts` runs it on each adapter.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeviceRef, KeyRecord, RegistryChange } from "../../src/registry/model.ts";
import {
  type CommandToQueue,
  type KeptCommand,
  type KeptSession,
  keptCommandBytesMax,
  keptCommandsMax,
  type SessionToSave,
} from "../../src/registry/session-store.ts";
import type { LookUp, RegistryStore } from "../../src/registry/store.ts";
import {
  deviceRef,
  key,
  newDevice,
  newRegistry,
  type OpenedStore,
  type OpenStore,
  refusal,
  registryRef,
} from "./registry-store.contract.ts";
import { seededRandom, VirtualTime } from "./virtual-ports.ts";

export const gauge = deviceRef("gauge-1");
const HOUR_SECONDS = 3_600;

export function sessionOf(owner: string, changes: Partial<SessionToSave> = {}): SessionToSave {
  return {
    keyFingerprint: key("a").fingerprint,
    subscriptions: { config: 1, commands: 1 },
    expirySeconds: HOUR_SECONDS,
    owner,
    isNew: true,
    ...changes,
  };
}

export function commandOf(subfolder: string, changes: Partial<CommandToQueue> = {}): CommandToQueue {
  return { subfolder, payload: Uint8Array.of(1, 2, 3), isSentNow: false, ...changes };
}

export function found(store: RegistryStore, device: DeviceRef = gauge): LookUp<KeptSession> {
  const answers: LookUp<KeptSession>[] = [];
  store.lookUpSession(device, (session) => answers.push(session));
  assert.equal(answers.length, 1, "answered once, and at once");
  return answers[0];
}

/** @throws where there is none. */
export function kept(store: RegistryStore, device: DeviceRef = gauge): KeptSession {
  const session = found(store, device);
  assert.ok(typeof session === "object", `${session}`);
  return session;
}

export function subfolders(store: RegistryStore, device: DeviceRef = gauge): readonly string[] {
  return kept(store, device).commands.map((command) => command.subfolder);
}

/** Runs the suite. @param adapter Its name, for the titles. */
export function sessionStoreContract(adapter: string, open: OpenStore): void {
  const promises = (name: string, run: (opened: OpenedStore) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const time = new VirtualTime();
      const store = await open({ time, random: seededRandom(7) });
      try {
        await store.createRegistry(newRegistry());
        await store.createDevice(newDevice("gauge-1", [key("a"), key("b")]));
        await run({ store, time });
      } finally {
        await store.close();
      }
    });
  };

  promises("a Session reads back as it was saved, by either name of its device", async ({ store }) => {
    const numId = (await store.findDevice(gauge))?.numId ?? "";
    await store.saveSession(deviceRef(numId), sessionOf("c1", { subscriptions: { commands: 0 } }));

    const expected: KeptSession = {
      keyFingerprint: key("a").fingerprint,
      subscriptions: { commands: 0 },
      expirySeconds: HOUR_SECONDS,
      commands: [],
    };
    assert.deepEqual(found(store), expected);
    assert.deepEqual(found(store, deviceRef(numId)), expected);
  });

  promises("where none was saved there is none, nor for a device nobody knows", async ({ store }) => {
    assert.equal(found(store), undefined);
    assert.equal(found(store, deviceRef("gauge-9")), undefined);
    assert.equal(found(store, { ...gauge, registry: "none" }), undefined);
  });

  promises("a Session needs its device, and a key of it that may verify", async ({ store }) => {
    const stranger = sessionOf("c1", { keyFingerprint: key("z").fingerprint });

    await assert.rejects(store.saveSession(deviceRef("gauge-9"), sessionOf("c1")), refusal("not_found"));
    await assert.rejects(store.saveSession(gauge, stranger), refusal("not_found"));

    assert.equal(found(store), undefined);
  });

  promises("a connected Session has no end; left, it is over after its expiry", async ({ store, time }) => {
    await store.saveSession(gauge, sessionOf("c1", { expirySeconds: 60 }));
    time.advance(61_000);
    assert.ok(found(store));

    await store.leaveSession(gauge, "c1", 10);

    time.advance(9_999);
    assert.equal(kept(store).expirySeconds, 10);
    for (const millis of [1, 60_000]) {
      time.advance(millis);
      assert.equal(found(store), undefined);
    }
    assert.deepEqual(await store.queueCommand(gauge, commandOf("late")), { kind: "no_session" });
  });

  promises("a Session that is left with an expiry of 0 is over at once", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.leaveSession(gauge, "c1", 0);

    assert.equal(found(store), undefined);
  });

  promises("only its owner leaves or ends a Session, and leaving is once", async ({ store, time }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.saveSession(gauge, sessionOf("c2", { isNew: false }));

    await store.leaveSession(gauge, "c1", 0);
    await store.endSession(gauge, "c1");
    assert.ok(found(store));

    await store.leaveSession(gauge, "c2", 10);
    await store.leaveSession(gauge, "c2", 1_000);
    await store.endSession(gauge, "c2");
    assert.equal(kept(store).expirySeconds, 10);
    time.advance(10_000);
    assert.equal(found(store), undefined);
  });

  promises("ending takes the commands along; without an owner it ends anybody's", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));
    await store.endSession(gauge, "c1");
    assert.equal(found(store), undefined);

    await store.saveSession(gauge, sessionOf("c2", { isNew: false }));
    assert.deepEqual(kept(store).commands, []);
    await store.endSession(gauge);
    assert.equal(found(store), undefined);
  });

  promises("leaving, ending and acknowledging what is not there is no error", async ({ store }) => {
    for (const device of [gauge, deviceRef("gauge-9")]) {
      await store.leaveSession(device, "c1", 10);
      await store.endSession(device);
      await store.removeCommand(device, 1);
      assert.deepEqual(await store.queueCommand(device, commandOf("x")), { kind: "no_session" });
    }

    assert.equal(found(store), undefined);
  });

  promises("commands are kept in order with their own bytes, until acknowledged", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    const payload = Uint8Array.of(9, 9);
    const queueing = store.queueCommand(gauge, commandOf("one", { payload, isSentNow: true }));
    payload.fill(0);
    const first = await queueing;
    const second = await store.queueCommand(gauge, commandOf("", { payload: new Uint8Array() }));
    const third = await store.queueCommand(gauge, commandOf("three/deep"));

    const expected: readonly KeptCommand[] = [
      { packetIdentifier: 1, subfolder: "one", payload: Uint8Array.of(9, 9), mayHaveBeenSent: true },
      { packetIdentifier: 2, subfolder: "", payload: new Uint8Array(), mayHaveBeenSent: false },
      {
        packetIdentifier: 3,
        subfolder: "three/deep",
        payload: Uint8Array.of(1, 2, 3),
        mayHaveBeenSent: false,
      },
    ];
    assert.deepEqual(kept(store).commands, expected);
    assert.deepEqual(
      [first, second, third],
      [1, 2, 3].map((packetIdentifier) => ({ kind: "queued", packetIdentifier })),
    );

    await store.removeCommand(gauge, 2);
    await store.removeCommand(gauge, 2);
    await store.removeCommand(gauge, 77);

    assert.deepEqual(subfolders(store), ["one", "three/deep"]);
  });

  promises("commands are queued while nobody is connected, too", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.leaveSession(gauge, "c1", 60);

    await store.queueCommand(gauge, commandOf("offline"));

    assert.deepEqual(subfolders(store), ["offline"]);
  });

  promises("commands are queued only for a subscription at QoS 1", async ({ store }) => {
    for (const subscriptions of [{}, { commands: 0 }, { config: 1 }] as const) {
      await store.saveSession(gauge, sessionOf("c1", { subscriptions }));
      assert.deepEqual(await store.queueCommand(gauge, commandOf("x")), { kind: "not_subscribed" });
    }

    assert.deepEqual(kept(store).commands, []);
  });

  promises("a Session that is resumed keeps its commands, all of them perhaps sent", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.leaveSession(gauge, "c1", 60);
    await store.queueCommand(gauge, commandOf("one"));

    const renewed = {
      keyFingerprint: key("b").fingerprint,
      subscriptions: { commands: 1 },
      isNew: false,
    } as const;
    await store.saveSession(gauge, sessionOf("c2", renewed));

    const { commands, ...facts } = kept(store);
    const { isNew: _isNew, ...saved } = renewed;
    assert.deepEqual(facts, { ...saved, expirySeconds: HOUR_SECONDS });
    assert.deepEqual(
      commands.map((command) => [command.subfolder, command.mayHaveBeenSent]),
      [["one", true]],
    );
    await store.queueCommand(gauge, commandOf("two"));
    assert.deepEqual(
      kept(store).commands.map((command) => command.mayHaveBeenSent),
      [true, false],
    );
  });

  promises("nothing of a Session before it stays in a new one", async ({ store, time }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));
    await store.saveSession(gauge, sessionOf("c2", { subscriptions: {} }));
    assert.deepEqual([kept(store).subscriptions, kept(store).commands], [{}, []]);

    await store.saveSession(gauge, sessionOf("c3"));
    await store.queueCommand(gauge, commandOf("two"));
    await store.leaveSession(gauge, "c3", 10);
    time.advance(10_000);
    // One that is over cannot be resumed.
    await store.saveSession(gauge, sessionOf("c4", { isNew: false }));
    assert.deepEqual(kept(store).commands, []);
  });

  promises(`a Session keeps ${keptCommandsMax} commands and no more`, async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    const names = Array.from({ length: keptCommandsMax }, (_, n) => `n${n}`);
    const outcomes = await Promise.all(names.map((name) => store.queueCommand(gauge, commandOf(name))));
    assert.ok(outcomes.every(({ kind }) => kind === "queued"));

    assert.deepEqual(await store.queueCommand(gauge, commandOf("over")), { kind: "too_many" });

    assert.deepEqual(subfolders(store), names);
    await store.removeCommand(gauge, 1);
    const after = await store.queueCommand(gauge, commandOf("room"));
    assert.deepEqual(after, { kind: "queued", packetIdentifier: keptCommandsMax + 1 });
  });

  promises(`a Session keeps ${keptCommandBytesMax} bytes of payload and no more`, async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    const queue = async (bytes: number): Promise<string> =>
      (await store.queueCommand(gauge, commandOf("x", { payload: new Uint8Array(bytes) }))).kind;

    assert.equal(await queue(keptCommandBytesMax + 1), "too_many");
    assert.equal(await queue(keptCommandBytesMax - 10), "queued");
    assert.equal(await queue(11), "too_many");
    assert.equal(await queue(10), "queued");
    assert.equal(await queue(0), "queued");
    assert.equal(await queue(1), "too_many");
    await store.removeCommand(gauge, 1);
    assert.equal(await queue(keptCommandBytesMax - 10), "queued");
  });

  promises("Packet Identifiers go on in turn into a new Session", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));
    await store.saveSession(gauge, sessionOf("c2"));

    const outcome = await store.queueCommand(gauge, commandOf("two"));

    assert.deepEqual(outcome, { kind: "queued", packetIdentifier: 2 });
  });

  promises(
    "no Packet Identifier is given while it is in use, whatever the order of PUBACKs",
    async ({ store }) => {
      const step = fc.oneof(
        fc.record({ kind: fc.constant("queue" as const), bytes: fc.nat(20_000) }),
        fc.record({
          kind: fc.constant("remove" as const),
          packetIdentifier: fc.integer({ min: 1, max: 60 }),
        }),
        fc.record({ kind: fc.constant("save" as const), isNew: fc.boolean() }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          await store.endSession(gauge);
          await store.saveSession(gauge, sessionOf("c1"));
          // The oracle: what is in use, oldest first, and what was given last.
          let inUse: readonly { readonly id: number; readonly bytes: number }[] = [];
          let last = 0;
          for (const one of steps) {
            if (one.kind === "save") {
              await store.saveSession(gauge, sessionOf("c1", { isNew: one.isNew }));
              if (one.isNew) inUse = [];
            } else if (one.kind === "remove") {
              await store.removeCommand(gauge, one.packetIdentifier);
              inUse = inUse.filter(({ id }) => id !== one.packetIdentifier);
            } else {
              const payload = new Uint8Array(one.bytes);
              const outcome = await store.queueCommand(gauge, commandOf("x", { payload }));
              const bytes = inUse.reduce((sum, command) => sum + command.bytes, one.bytes);
              if (inUse.length >= keptCommandsMax || bytes > keptCommandBytesMax) {
                assert.deepEqual(outcome, { kind: "too_many" });
                continue;
              }
              last += 1;
              assert.deepEqual(outcome, { kind: "queued", packetIdentifier: last });
              inUse = [...inUse, { id: last, bytes: one.bytes }];
            }
          }
          const found = kept(store).commands.map(({ packetIdentifier: id, payload }) => ({
            id,
            bytes: payload.length,
          }));
          assert.deepEqual(found, inUse);
        }),
        { numRuns: 20 },
      );
    },
  );

  const keyEnds: readonly (readonly [string, readonly KeyRecord[]])[] = [
    ["retired", [key("a", "retired"), key("b")]],
    ["revoked", [key("a", "revoked"), key("b")]],
    ["removed", [key("b")]],
    ["past its date", [{ ...key("a"), expiresAtSeconds: 1_800_000_000 }, key("b")]],
  ];
  for (const [how, keys] of keyEnds) {
    promises(`a Session ends with its key: ${how}`, async ({ store }) => {
      await store.saveSession(gauge, sessionOf("c1"));
      await store.queueCommand(gauge, commandOf("one"));

      await store.updateDevice(gauge, { keys });

      assert.equal(found(store), undefined);
      assert.deepEqual(await store.queueCommand(gauge, commandOf("two")), { kind: "no_session" });
      await assert.rejects(store.saveSession(gauge, sessionOf("c1", { isNew: false })), refusal("not_found"));
    });
  }

  promises("a Session stays while its key may verify, whatever else changes", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));

    await store.updateDevice(gauge, { keys: [key("a"), key("b", "revoked")] });
    await store.updateDevice(gauge, {
      keys: [{ ...key("a", "retiring"), expiresAtSeconds: 1_800_000_001 }, key("b", "revoked")],
    });
    await store.updateDevice(gauge, { metadata: { room: "2" } });

    assert.deepEqual(subfolders(store), ["one"]);
  });

  promises("blocking a device cuts its connection and keeps its Session", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));

    await store.updateDevice(gauge, { blocked: true });

    assert.deepEqual(subfolders(store), ["one"]);
  });

  promises("a device made anew under a deleted one's name has no Session", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));

    await store.deleteDevice(gauge);
    assert.equal(found(store), undefined);
    await store.createDevice(newDevice("gauge-1", [key("a")]));
    assert.equal(found(store), undefined);

    await store.saveSession(gauge, sessionOf("c2", { isNew: false }));
    assert.deepEqual(kept(store).commands, []);
  });

  promises("each device has its own Session", async ({ store }) => {
    const other = deviceRef("gauge-2");
    await store.createDevice(newDevice("gauge-2", [key("c")]));
    await store.saveSession(gauge, sessionOf("c1"));
    await store.saveSession(other, sessionOf("c2", { keyFingerprint: key("c").fingerprint }));
    await store.queueCommand(gauge, commandOf("mine"));
    await store.queueCommand(other, commandOf("theirs"));

    await store.removeCommand(other, 1);
    await store.endSession(other);

    assert.deepEqual(subfolders(store), ["mine"]);
    assert.equal(found(store, other), undefined);
  });

  promises("what happens to Sessions is no change of the registry", async ({ store, time }) => {
    const told: RegistryChange[] = [];
    store.onChange((change) => told.push(change));
    await store.updateDevice(gauge, { logLevel: "INFO" });
    await store.saveSession(gauge, sessionOf("c1"));
    await store.queueCommand(gauge, commandOf("one"));
    await store.removeCommand(gauge, 1);
    await store.leaveSession(gauge, "c1", 10);
    await store.endSession(gauge);
    await store.updateRegistry(registryRef, { logLevel: "DEBUG" });
    time.advance(1_000);

    assert.deepEqual(
      told.map((change) => change.kind),
      ["device_updated", "registry_updated"],
    );
    assert.equal((told[1]?.sequence ?? 0) - (told[0]?.sequence ?? 0), 1);
  });

  promises("a closed store knows no answer, which is not 'no Session'", async ({ store }) => {
    await store.saveSession(gauge, sessionOf("c1"));
    await store.close();

    assert.equal(found(store), "unavailable");
    await assert.rejects(store.queueCommand(gauge, commandOf("late")), refusal("closed"));
  });
}

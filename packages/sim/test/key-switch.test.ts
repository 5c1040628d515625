import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import { formatInstruction, type InstructionOrder, instructionSubfolder } from "@mayfly/core/instruction";
import {
  type AgentEvent,
  type AgentSigner,
  createAgent,
  createDeviceKeys,
  type SmallStore,
} from "@mayfly/device";
import type { CommandOutcome, KeyRecord } from "@mayfly/server";
import type { World } from "@mayfly/sim";
import { arrangeHouse, type House, onlyTenant, passMillis, registry, signMillis } from "./arrange-house.ts";

/** How an agent may speak to the bridge: by version, and in 3.1.1 with Clean Session 1 or 0. */
const manners = [
  { name: "v5", agent: { protocolVersion: 5 } },
  { name: "v4", agent: { protocolVersion: 4 } },
  { name: "v4, Session kept", agent: { protocolVersion: 4, cleanSession: false } },
] as const;
const lamp = { ...registry, device: "lamp-0" };
const devicePath = "projects/mayfly/locations/here/registries/lamps/devices/lamp-0";

/** A key pair in a slot: as the registry knows it, and as the device signs with it. */
function makeKey(slot: number, state: KeyRecord["state"] = "pending") {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const record: KeyRecord = {
    keyId: `slot-${slot}`,
    slot,
    state,
    format: "ES256_PEM",
    pem: publicKey.export({ format: "pem", type: "spki" }).toString(),
    fingerprint: createHash("sha256").update(spki).digest("hex"),
    createdMs: 0,
  };
  const signerIn = (world: World): AgentSigner => ({
    keyId: `slot-${slot}`,
    signMessage: async (message) => {
      await passMillis(world, signMillis);
      return sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
    },
  });
  return { slot, record, signerIn, publicKey: new Uint8Array(spki.subarray(-64)) };
}

/** Outlives the agents that are created over it, as a flash would. */
function makeStore() {
  const values = new Map<string, Uint8Array>();
  const store: SmallStore = {
    read: (key) => values.get(key),
    async write(key, value) {
      values.set(key, value.slice());
    },
  };
  return store;
}

async function arrangeSpare(
  options: Partial<Parameters<typeof arrangeHouse>[0]> & { readonly register?: boolean } = {},
) {
  const { register = true, ...rest } = options;
  const store = makeStore();
  const spare = makeKey(1);
  const house = await arrangeHouse({
    seed: "key switch",
    devices: 1,
    keys: (signer, world) =>
      createDeviceKeys(
        [
          { slot: 0, signer },
          { slot: 1, signer: spare.signerIn(world) },
        ],
        { store },
      ),
    ...rest,
  });
  const tenant = onlyTenant(house);
  if (register) await house.store.updateDevice(lamp, { keys: [tenant.key, spare.record] });
  tenant.agent.start();
  await house.world.run(2_000);
  assert.equal(tenant.agent.status().state, "connected");
  const device = await house.store.findDevice(lamp);
  const numId = device?.numId ?? "";
  return { house, tenant, store, spare, numId };
}

/** Sends an instruction as the bridge does. @returns what came of the command, once it has. */
function instruct(
  house: House,
  numId: string,
  number: number,
  order: InstructionOrder,
  change: { readonly device?: string; readonly seconds?: number } = {},
): CommandOutcome[] {
  const iat = Math.floor(house.world.clock.wallSeconds());
  const text = formatInstruction({
    number,
    device: change.device ?? devicePath,
    numId,
    iat,
    exp: iat + (change.seconds ?? 600),
    order,
  });
  const outcomes: CommandOutcome[] = [];
  house.bridge.sendCommand(lamp, { payload: utf8Encode(text), subfolder: instructionSubfolder }, (outcome) =>
    outcomes.push(outcome),
  );
  return outcomes;
}

const useSlot1: InstructionOrder = { scope: "use-key", slot: 1 };

function outcomesOf(events: readonly AgentEvent[]): readonly string[] {
  return events.flatMap((event) => (event.kind === "instruction" ? [event.outcome] : []));
}

function keyInUse(house: House): string | undefined {
  return house.bridge.findSession(lamp)?.principal.keyId;
}

for (const { name, agent } of manners) {
  test(`${name}: a switch of the key under 20 messages a second loses and doubles nothing`, async () => {
    const { house, tenant, numId } = await arrangeSpare({ agent });
    const texts = Array.from({ length: 400 }, (_, i) => `m-${i}`);
    const acknowledged: string[] = [];
    for (const [i, text] of texts.entries()) {
      house.world.timers.after(i * 50, () => {
        const answer = tenant.agent.publish(utf8Encode(text), { messageId: text });
        assert.equal(answer.kind, "accepted");
        if (answer.kind === "accepted") void answer.outcome.then(() => acknowledged.push(text));
      });
    }
    await house.world.run(5_000);

    const outcomes = instruct(house, numId, 1, useSlot1);
    await house.world.run(30_000);

    assert.deepEqual(outcomes, ["delivered"]);
    assert.equal(keyInUse(house), "slot-1");
    assert.deepEqual([tenant.agent.status().slot, tenant.agent.status().keyId], [1, "slot-1"]);
    assert.deepEqual(outcomesOf(tenant.events), ["done"]);
    assert.deepEqual(acknowledged, texts);
    const received = (await house.pullAll()).filter((text) => text.startsWith("m-"));
    assert.deepEqual(received, texts);
  });

  test(`${name}: a key that is not registered is refused, and the old connection never knew`, async () => {
    const { house, tenant, numId } = await arrangeSpare({ agent, register: false });
    // By now the bridge would take a re-authentication.
    await house.world.run(20_000);

    instruct(house, numId, 1, useSlot1);
    await house.world.run(60_000);

    assert.deepEqual(outcomesOf(tenant.events), ["key_refused"]);
    assert.equal(keyInUse(house), "slot-0");
    assert.equal(tenant.agent.status().slot, 0);
    assert.equal(tenant.agent.status().state, "connected");
    assert.equal(tenant.events.filter(({ kind }) => kind === "connection_lost").length, 0);
  });
}

test("after a refused switch the same instruction is a repeat, and a newer one works once the key is registered", async () => {
  const { house, tenant, numId, spare } = await arrangeSpare({ register: false });
  instruct(house, numId, 1, useSlot1);
  await house.world.run(30_000);
  await house.store.updateDevice(lamp, { keys: [tenant.key, spare.record] });

  instruct(house, numId, 1, useSlot1);
  await house.world.run(10_000);
  assert.equal(keyInUse(house), "slot-0");
  instruct(house, numId, 2, useSlot1);
  await house.world.run(10_000);

  assert.equal(keyInUse(house), "slot-1");
  assert.deepEqual(outcomesOf(tenant.events), ["key_refused", "repeated", "done"]);
});

test("an expired instruction and one for another device are answered, and change nothing", async () => {
  const { house, tenant, numId } = await arrangeSpare();

  instruct(house, numId, 1, useSlot1, { device: devicePath.replace("lamp-0", "lamp-1") });
  instruct(house, "77", 2, useSlot1, { seconds: 1 });
  tenant.conduct.clockOffsetSeconds = 5;
  await house.world.run(10_000);

  assert.deepEqual([...outcomesOf(tenant.events)].sort(), ["expired", "other_device"]);
  assert.equal(keyInUse(house), "slot-0");
});

test("what came of an instruction is on record with it; no subscription and no handler sees any of it", async () => {
  const commands: string[] = [];
  const { house, tenant } = await arrangeSpare({
    handlers: { command: (_payload, subfolder) => void commands.push(subfolder) },
  });

  const { instruction } = await house.service.instructions.issue(lamp, { scope: "use-key", slot: 1 });
  const payload = utf8Encode(formatInstruction(instruction));
  house.bridge.sendCommand(lamp, { payload, subfolder: instructionSubfolder }, () => {});
  await house.world.run(10_000);

  const device = await house.store.findDevice(lamp);
  assert.equal(device?.instruction?.outcome, "done");
  assert.deepEqual(outcomesOf(tenant.events), ["done"]);
  assert.deepEqual(await house.pullAll(), []);
  assert.deepEqual(commands, []);
});

test("power lost in the midst of a switch: the next start goes on with it, and is done", async () => {
  const { house, tenant, store, spare, numId } = await arrangeSpare();
  // The new key signs, and the bridge accepts it; then everything but the flash is gone before that is on record.
  const frozen: SmallStore = { read: (key) => kept.get(key), write: () => new Promise(() => {}) };
  instruct(house, numId, 1, useSlot1);
  await house.world.run(60);
  const kept = new Map([["key", store.read("key") ?? new Uint8Array()]]);
  assert.equal(tenant.agent.status().slot, 1, "the trial has begun");
  tenant.agent.stop();
  tenant.dialer.cut("power");
  await house.world.run(1_000);

  const { signer } = onlyTenant(house).ports;
  const first = "attach" in signer ? signer.signer : signer;
  const again = createAgent(
    {
      ...tenant.ports,
      signer: createDeviceKeys(
        [
          { slot: 0, signer: { ...first, keyId: "slot-0" } },
          { slot: 1, signer: spare.signerIn(house.world) },
        ],
        { store: frozen },
      ),
    },
    lamp,
  );
  const events: AgentEvent[] = [];
  again.onEvent((event) => events.push(event));
  again.start();
  await house.world.run(5_000);

  assert.equal(keyInUse(house), "slot-1");
  assert.deepEqual(outcomesOf(events), ["done"]);
  again.stop();
});

test("a device whose key was retired while it was off comes back with the other one, and says so", async () => {
  const { house, tenant, spare } = await arrangeSpare();
  tenant.agent.stop();
  await house.world.run(1_000);
  await house.store.updateDevice(lamp, { keys: [{ ...tenant.key, state: "retired" }, spare.record] });

  const again = createAgent(tenant.ports, lamp);
  const events: AgentEvent[] = [];
  again.onEvent((event) => events.push(event));
  again.start();
  await house.world.run(60_000);

  assert.equal(again.status().state, "connected");
  assert.equal(keyInUse(house), "slot-1");
  assert.deepEqual(
    events.filter(({ kind }) => kind === "key_changed"),
    [{ kind: "key_changed", keyId: "slot-1", slot: 1, because: "previous_refused" }],
  );
  assert.ok(events.filter(({ kind }) => kind === "refused").length <= 4);
  again.stop();
});

test("a key retired under a live session: the device is cut, and comes back with the other key by itself", async () => {
  const { house, tenant, spare } = await arrangeSpare();

  await house.store.updateDevice(lamp, { keys: [{ ...tenant.key, state: "retired" }, spare.record] });
  await house.world.run(60_000);

  assert.equal(keyInUse(house), "slot-1");
});

test("a device that is blocked for a day and unblocked comes back with the key it had", async () => {
  const { house, tenant } = await arrangeSpare();
  await house.store.updateDevice(lamp, { blocked: true });
  await house.world.run(86_400_000);
  const minted = tenant.events.filter((event) => event.kind === "minted");
  const elsewhere = minted.filter((event) => event.kind === "minted" && event.keyId !== "slot-0").length;

  await house.store.updateDevice(lamp, { blocked: false });
  await house.world.run(900_000);

  assert.equal(keyInUse(house), "slot-0");
  assert.ok(elsewhere <= minted.length / 20, `${elsewhere} of ${minted.length}`);
});

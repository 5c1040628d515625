import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { attestationMessage, hexDecode, utf8Encode } from "@mayfly/core";
import { formatInstructionResult, keyOfferSubfolder, resultSubfolder } from "@mayfly/core/instruction";
import { type KeyOffer, type RegistryPolicy, stateKeyOffer } from "@mayfly/core/token";
import { type AdminHouse, lab, nodeSha256, openAdminHouse } from "../../test/http/admin-house.ts";
import type { DevicePrincipal } from "../auth/admission.ts";
import { createNodeKeyParser } from "../host/node-key-parser.ts";
import { createNodeKeyVerifier } from "../host/node-key-verifier.ts";
import { createKeyReports } from "./key-offers.ts";
import type { DeviceRecord, KeyRecord } from "./model.ts";

const registry = { project: "mayfly", location: "lab", registry: "lamps" } as const;
const lamp = { ...registry, device: "lamp-0" };
const lampPath = `${lab}/lamps/devices/lamp-0`;
const serial = "01237a1b4d2e3c91ee";

interface Pair {
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly point: Uint8Array;
}

function makePair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ format: "der", type: "spki" });
  const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
  return { privateKey, pem, point: new Uint8Array(spki.subarray(-64)) };
}

const es256 = (key: KeyObject, message: Uint8Array): Uint8Array =>
  sign("sha256", message, { key, dsaEncoding: "ieee-p1363" });

/** A device with one active key in slot 0 and its chip on record, in a registry that takes offers as told. */
async function arrange(keyOffers: RegistryPolicy["keyOffers"]) {
  const house = await openAdminHouse();
  const [current, chip, fresh] = [makePair(), makePair(), makePair()];
  await house.call("POST", `/mayfly${lab}`, { id: "lamps", policy: { keyOffers } });
  await house.call("POST", `${lab}/lamps/devices`, { id: "lamp-0" });
  await house.call("POST", `/mayfly${lampPath}/keys`, { format: "ES256_PEM", key: current.pem, slot: 0 });
  await house.call("PATCH", `/mayfly${lampPath}`, {
    attestation: { chipSerial: serial, slot: 1, key: chip.pem },
  });
  const verdicts: string[] = [];
  const reports = createKeyReports({
    ...house.ports.service,
    store: house.store,
    keyParser: createNodeKeyParser(),
    verifier: createNodeKeyVerifier(),
    sha256: nodeSha256,
    clock: house.clock,
    judged: (_device, verdict) => verdicts.push(verdict),
  });
  const device = async (): Promise<DeviceRecord> => {
    const found = await house.store.findDevice(lamp);
    assert.ok(found);
    return found;
  };
  const { deviceId, numId } = await device();
  // What a report is judged by is the device alone; the rest of a principal plays no part.
  const principal = { registry, deviceId, deviceNumId: numId } as DevicePrincipal;
  const send = (text: string, subfolder: string = keyOfferSubfolder): Promise<void> =>
    reports.take(principal, subfolder, utf8Encode(text));
  return { house, current, chip, fresh, device, send, verdicts };
}

type Arranged = Awaited<ReturnType<typeof arrange>>;

async function ask({ house, device }: Arranged, slot = 2): Promise<KeyOffer> {
  const { status, text } = await house.call("POST", `/mayfly${lampPath}:instruct`, {
    scope: "offer-key",
    slot,
  });
  assert.equal(status, 200, text);
  const { instruction } = await device();
  assert.ok(instruction?.challenge);
  return {
    sub: "projects/mayfly/locations/lab/registries/lamps/devices/lamp-0",
    number: instruction.number,
    slot,
    challenge: hexDecode(instruction.challenge),
    publicKey: new Uint8Array(64),
  };
}

function offer(what: KeyOffer, key: Pair, by: Pair): Promise<string> {
  const whole = { ...what, publicKey: key.point };
  const signer = { keyId: "any", signDigest: async (input: Uint8Array) => es256(by.privateKey, input) };
  return stateKeyOffer(whole, signer, { digest: (input) => input });
}

function attested(what: KeyOffer, key: Pair, chip: Pair, by: Pair): Promise<string> {
  const facts = {
    serialNumber: hexDecode(serial),
    randomOutput: new Uint8Array(32).fill(5),
    attestationSlot: 1,
    slotConfig: 0x2081,
    keyConfig: 0x0033,
    slotLocked: false,
  };
  const message = attestationMessage(
    { ...facts, challenge: what.challenge, slot: what.slot, publicKey: key.point, created: true },
    nodeSha256,
  );
  return offer({ ...what, attestation: { ...facts, signature: es256(chip.privateKey, message) } }, key, by);
}

const states = (keys: readonly KeyRecord[]): readonly string[] =>
  keys.map(({ slot, state }) => `${slot} ${state}`);

test("a key the registered chip attests is taken as pending", async () => {
  const world = await arrange("attested");
  const asked = await ask(world);

  await world.send(await attested(asked, world.fresh, world.chip, world.current));

  const { keys, instruction } = await world.device();
  assert.deepEqual(states(keys), ["0 active", "2 pending"]);
  assert.equal(keys[1]?.fingerprint, createHash("sha256").update(spkiOf(world.fresh)).digest("hex"));
  assert.equal(instruction?.offer, "taken");
  assert.equal(instruction.challenge, undefined);
  assert.deepEqual(world.verdicts, ["taken"]);
});

function spkiOf({ pem }: Pair): Buffer {
  return Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64");
}

test("a bare vouch is taken only where the policy says vouch", async () => {
  for (const [keyOffers, verdict, count] of [
    ["attested", "refused_by_policy", 1],
    ["vouch", "taken", 2],
  ] as const) {
    const world = await arrange(keyOffers);
    await world.send(await offer(await ask(world), world.fresh, world.current));

    const { keys, instruction } = await world.device();
    assert.equal(instruction?.offer, verdict);
    assert.equal(keys.length, count);
  }
});

test("a registry takes no offers unless it is told to", async () => {
  const house = await openAdminHouse();
  const { body } = await house.call("POST", `/mayfly${lab}`, { id: "lamps" });

  assert.equal(body.policy.keyOffers, "refuse");
});

test("a policy changed after the asking holds for the answer", async () => {
  const world = await arrange("vouch");
  const text = await offer(await ask(world), world.fresh, world.current);
  await world.house.call("PATCH", `/mayfly${lab}/lamps`, { policy: { keyOffers: "refuse" } });

  await world.send(text);

  assert.equal((await world.device()).instruction?.offer, "refused_by_policy");
  assert.equal((await world.device()).keys.length, 1);
});

test("an offer is judged once: what comes for a second time, unasked or too late changes nothing", async () => {
  const world = await arrange("vouch");
  await world.send("nobody asked");
  const asked = await ask(world);
  await world.send("no offer at all");
  await world.send(await offer(asked, world.fresh, world.current));
  assert.deepEqual(world.verdicts, ["not_authentic"]);

  const again = await ask(world);
  world.house.clock.wall += 3_600;
  await world.send(await offer(again, world.fresh, world.current));

  assert.deepEqual(world.verdicts, ["not_authentic"]);
  assert.equal((await world.device()).keys.length, 1);
});

test("an offer for an earlier instruction, or signed by a stranger, is not authentic", async () => {
  const world = await arrange("vouch");
  const first = await ask(world);
  await ask(world);
  await world.send(await offer(first, world.fresh, world.current));
  await world.send(await offer(await ask(world), world.fresh, world.fresh));

  assert.deepEqual(world.verdicts, ["not_authentic", "not_authentic"]);
});

test("an attestation by another chip's key is no attestation, whatever the policy takes besides", async () => {
  const world = await arrange("vouch");

  await world.send(await attested(await ask(world), world.fresh, world.current, world.current));

  assert.deepEqual(world.verdicts, ["not_attested"]);
});

test("a key that is on its way out vouches for nothing", async () => {
  const world = await arrange("vouch");
  const asked = await ask(world);
  const [key] = (await world.device()).keys;
  const expirationTime = new Date((world.house.clock.wall + 600) * 1000).toISOString();
  await world.house.call("PATCH", `/mayfly${lampPath}/keys/${key?.keyId}`, {
    state: "retiring",
    expirationTime,
  });

  await world.send(await offer(asked, world.fresh, world.current));

  assert.deepEqual(world.verdicts, ["key_not_active"]);
});

test("the key that was in the slot is gone from the chip, and retired on record: three still fit", async () => {
  const world = await arrange("vouch");
  for (const slot of [2, 3]) {
    const key = { format: "ES256_PEM", key: makePair().pem, slot, state: "pending" };
    await world.house.call("POST", `/mayfly${lampPath}/keys`, key);
  }

  await world.send(await offer(await ask(world), world.fresh, world.current));

  const { keys } = await world.device();
  assert.deepEqual(states(keys), ["0 active", "2 retired", "3 pending", "2 pending"]);
});

test("a fourth key, another device's key and a point that is on no curve are unusable", async () => {
  const full = await arrange("vouch");
  for (const slot of [3, 4]) {
    const key = { format: "ES256_PEM", key: makePair().pem, slot, state: "pending" };
    await full.house.call("POST", `/mayfly${lampPath}/keys`, key);
  }
  await full.send(await offer(await ask(full), full.fresh, full.current));
  assert.deepEqual(full.verdicts, ["key_unusable"]);

  const taken = await arrange("vouch");
  await taken.house.call("POST", `${lab}/lamps/devices`, { id: "lamp-1" });
  await taken.house.call("POST", `/mayfly${lab}/lamps/devices/lamp-1/keys`, {
    format: "ES256_PEM",
    key: taken.fresh.pem,
  });
  await taken.send(await offer(await ask(taken), taken.fresh, taken.current));
  assert.deepEqual(taken.verdicts, ["key_unusable"]);
  assert.equal((await taken.device()).instruction?.offer, "key_unusable");

  const nowhere = await arrange("vouch");
  const noPoint = { ...nowhere.fresh, point: new Uint8Array(64).fill(1) };
  await nowhere.send(await offer(await ask(nowhere), noPoint, nowhere.current));
  assert.deepEqual(nowhere.verdicts, ["key_unusable"]);
});

async function instructed(house: AdminHouse): Promise<number> {
  const { body } = await house.call("POST", `/mayfly${lampPath}:instruct`, { scope: "use-key", slot: 0 });
  return body.number;
}

test("a result stands beside the last instruction; one about another, a late repeat and nonsense do not", async () => {
  const world = await arrange("refuse");
  const earlier = await instructed(world.house);
  const number = await instructed(world.house);
  const outcome = async () => (await world.device()).instruction?.outcome;

  await world.send(formatInstructionResult({ number: earlier, outcome: "key_refused" }), resultSubfolder);
  await world.send("nonsense", resultSubfolder);
  assert.equal(await outcome(), undefined);
  await world.send(formatInstructionResult({ number, outcome: "repeated" }), resultSubfolder);
  await world.send(formatInstructionResult({ number, outcome: "done" }), resultSubfolder);
  await world.send(formatInstructionResult({ number, outcome: "repeated" }), resultSubfolder);

  assert.equal(await outcome(), "done");
});

test("a device that is gone is told so, as with any message", async () => {
  const world = await arrange("refuse");
  await world.house.call("DELETE", lampPath);

  await assert.rejects(world.send("{}", keyOfferSubfolder), { code: "not_found" });
});

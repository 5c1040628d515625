import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { base64urlDecode, utf8Decode, utf8Encode } from "@mayfly/core";
import {
  formatInstruction,
  type InstructionOrder,
  type InstructionResult,
  instructionSubfolder,
  keyOfferSubfolder,
  parseInstructionResult,
  resultSubfolder,
} from "@mayfly/core/instruction";
import type { AgentSigner, Readiness, SmallStore } from "../ports.ts";
import { createDeviceKeys, type SlotSigner, trialSignFailuresMax } from "./device-keys.ts";
import type { KeyEvent, KeyHost } from "./key-choice.ts";
import { decodeKeyMemory, encodeKeyMemory, keyMemoryBytes } from "./key-memory.ts";
import type { KeyMaker } from "./key-offering.ts";
import { KeyRounds, refusalsBeforeOthers, refusalsBetweenRounds } from "./key-rounds.ts";

const registryPath = "projects/mayfly/locations/here/registries/lamps";
const device = `${registryPath}/devices/lamp-0`;
const numId = "2876543210987654321";
const now = 1_800_000_000;

function signerOf(keyId: string, key?: KeyObject): AgentSigner {
  const privateKey = key ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  return {
    keyId,
    signMessage: async (message) => sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}

const keys: readonly SlotSigner[] = [
  { slot: 0, signer: signerOf("key-a") },
  { slot: 1, signer: signerOf("key-b") },
  { slot: 2, signer: signerOf("key-c") },
];

interface Memory extends SmallStore {
  bytes: Uint8Array | undefined;
  isBroken: boolean;
}

function makeStore(): Memory {
  const store: Memory = {
    bytes: undefined,
    isBroken: false,
    read: () => store.bytes,
    async write(_key, value) {
      if (store.isBroken) throw new Error("no room");
      store.bytes = value;
    },
  };
  return store;
}

function storeWith(bytes: Uint8Array): Memory {
  const store = makeStore();
  store.bytes = bytes;
  return store;
}

function arrange(
  options: {
    readonly keys?: readonly SlotSigner[];
    readonly store?: Memory;
    readonly maker?: KeyMaker;
    readonly devicePath?: string;
  } = {},
) {
  const { store = makeStore(), maker, devicePath = device } = options;
  const events: KeyEvent[] = [];
  const sent: { readonly subfolder: string; readonly text: string }[] = [];
  const conduct: { readiness: Readiness; changes: number; isFull: boolean } = {
    readiness: { kind: "ready", now, uncertaintySeconds: 2 },
    changes: 0,
    isFull: false,
  };
  const choice = createDeviceKeys(options.keys ?? keys, { store, ...(maker === undefined ? {} : { maker }) });
  const host: KeyHost = {
    devicePath,
    sha256: { digest: (bytes) => createHash("sha256").update(bytes).digest() },
    readiness: () => conduct.readiness,
    keyChanged: () => {
      conduct.changes += 1;
    },
    send(subfolder, text) {
      if (conduct.isFull) return false;
      sent.push({ subfolder, text });
      return true;
    },
    tell: (event) => events.push(event),
  };
  choice.attach(host);
  const instruct = (order: InstructionOrder, number = 1, exp = now + 600): Promise<void> =>
    choice.take(
      instructionSubfolder,
      utf8Encode(formatInstruction({ number, device, numId, iat: now - 5, exp, order })),
    );
  const results = (): readonly InstructionResult[] =>
    sent
      .filter(({ subfolder }) => subfolder === resultSubfolder)
      .map(({ text }) => parseInstructionResult(text));
  const outcomes = () => results().map(({ outcome }) => outcome);
  return { choice, store, events, sent, conduct, instruct, results, outcomes };
}

const useSlot = (slot: number): InstructionOrder => ({ scope: "use-key", slot });

test("the first key signs until an instruction says otherwise", () => {
  const { choice } = arrange();

  assert.equal(choice.signer.keyId, "key-a");
  assert.equal(choice.slot, 0);
});

test("a switch is a trial: the new key signs, and is in use once the bridge has accepted it", async () => {
  const { choice, conduct, store, instruct, results, events } = arrange();

  await instruct(useSlot(1), 5);

  assert.equal(choice.signer.keyId, "key-b");
  assert.equal(conduct.changes, 1);
  assert.deepEqual(decodeKeyMemory(store.bytes ?? new Uint8Array()), { slot: 0, next: 1, number: 5 });
  assert.deepEqual(results(), []);

  choice.accepted("key-b");

  assert.deepEqual(decodeKeyMemory(store.bytes ?? new Uint8Array()), { slot: 1, next: undefined, number: 5 });
  assert.deepEqual(results(), [{ number: 5, outcome: "done", slot: 1, key: "key-b" }]);
  assert.deepEqual(events[0], { kind: "key_changed", keyId: "key-b", slot: 1, because: "instructed" });
});

test("a key may be asked for by its id", async () => {
  const { choice, instruct } = arrange();

  await instruct({ scope: "use-key", key: "key-c" });

  assert.equal(choice.slot, 2);
});

test("a refused key gives way to the one before, at once and on record", async () => {
  const { choice, store, instruct, results } = arrange();
  await instruct(useSlot(1), 5);

  choice.refused("key-b");

  assert.equal(choice.signer.keyId, "key-a");
  assert.deepEqual(decodeKeyMemory(store.bytes ?? new Uint8Array()), { slot: 0, next: undefined, number: 5 });
  assert.deepEqual(results(), [{ number: 5, outcome: "key_refused", slot: 0, key: "key-a" }]);
});

test("an answer about the old key does not judge the new one", async () => {
  const { choice, instruct, outcomes } = arrange();
  await instruct(useSlot(1));

  choice.refused("key-a");
  choice.accepted("key-a");
  choice.signFailed("key-a");

  assert.equal(choice.signer.keyId, "key-b");
  assert.deepEqual(outcomes(), []);
});

test("a key that does not sign is given up after three times", async () => {
  const { choice, instruct, outcomes } = arrange();
  await instruct(useSlot(1));

  for (let i = 1; i < trialSignFailuresMax; i++) choice.signFailed("key-b");
  assert.equal(choice.signer.keyId, "key-b");
  choice.signFailed("key-b");

  assert.equal(choice.signer.keyId, "key-a");
  assert.deepEqual(outcomes(), ["sign_failed"]);
});

test("a repeat and an older instruction do nothing, also after a restart", async () => {
  const first = arrange();
  await first.instruct(useSlot(1), 5);
  first.choice.accepted("key-b");

  const second = arrange({ store: first.store });
  await second.instruct(useSlot(0), 5);
  await second.instruct(useSlot(0), 4);

  assert.equal(second.choice.signer.keyId, "key-b");
  assert.deepEqual(second.outcomes(), ["repeated", "repeated"]);
});

test("a restart in the midst of a switch goes on with it, and can still fall back", async () => {
  const first = arrange();
  await first.instruct(useSlot(1), 5);

  const bytes = first.store.bytes ?? new Uint8Array();

  const accepting = arrange({ store: storeWith(bytes) });
  assert.equal(accepting.choice.signer.keyId, "key-b");
  accepting.choice.accepted("key-b");
  assert.deepEqual(accepting.outcomes(), ["done"]);

  const refusing = arrange({ store: storeWith(bytes) });
  refusing.choice.refused("key-b");
  assert.equal(refusing.choice.signer.keyId, "key-a");
  assert.deepEqual(refusing.outcomes(), ["key_refused"]);
});

test("what is to be tried is on record before it is tried; where it cannot be, nothing is", async () => {
  const { choice, store, conduct, instruct, outcomes } = arrange();
  store.isBroken = true;

  await instruct(useSlot(1), 5);

  assert.equal(choice.signer.keyId, "key-a");
  assert.equal(conduct.changes, 0);
  assert.deepEqual(outcomes(), ["not_stored"]);

  store.isBroken = false;
  await instruct(useSlot(1), 5);
  assert.equal(choice.signer.keyId, "key-b");
});

test("an instruction past its end, or within the clock's uncertainty of it, is not carried out", async () => {
  const { choice, instruct, outcomes } = arrange();

  await instruct(useSlot(1), 1, now + 2);
  await instruct(useSlot(1), 1, now - 1);
  assert.equal(choice.signer.keyId, "key-a");
  await instruct(useSlot(1), 1, now + 3);

  assert.equal(choice.signer.keyId, "key-b");
  assert.deepEqual(outcomes(), ["expired", "expired"]);
});

test("without a clock that is believed nothing is carried out, and the number stays good", async () => {
  const { choice, conduct, instruct, outcomes } = arrange();
  conduct.readiness = { kind: "waiting", because: "no source" };

  await instruct(useSlot(1), 5);
  assert.deepEqual(outcomes(), ["clock_unknown"]);

  conduct.readiness = { kind: "ready", now, uncertaintySeconds: 0 };
  await instruct(useSlot(1), 5);
  assert.equal(choice.signer.keyId, "key-b");
});

test("an instruction for another device is refused; one for this device's number is not", async () => {
  const other = arrange({ devicePath: `${registryPath}/devices/lamp-1` });
  await other.instruct(useSlot(1));
  assert.deepEqual(other.outcomes(), ["other_device"]);

  const byNumber = arrange({ devicePath: `${registryPath}/devices/${numId}` });
  await byNumber.instruct(useSlot(1));
  assert.equal(byNumber.choice.slot, 1);
});

test("what is no instruction, or asks for what nobody knows, is answered in one word", async () => {
  const { choice, outcomes } = arrange();
  const whole = formatInstruction({ number: 3, device, numId, iat: now, exp: now + 1, order: useSlot(1) });

  for (const text of ["{}", whole.replace("use-key", "explode"), whole.replace('version":1', 'version":2')]) {
    await choice.take(instructionSubfolder, utf8Encode(text));
  }
  await choice.take(instructionSubfolder, Uint8Array.of(0xff, 0xfe));
  await choice.take("mayfly/something-later", utf8Encode(whole));

  assert.deepEqual(outcomes(), ["malformed", "scope_unknown", "version_unknown", "malformed"]);
  assert.equal(choice.slot, 0);
});

test("a key that is not there, and the one in use already, are each told", async () => {
  const { choice, conduct, instruct, outcomes } = arrange();

  await instruct(useSlot(7), 1);
  await instruct({ scope: "use-key", key: "key-z" }, 1);
  await instruct(useSlot(0), 2);

  assert.deepEqual(outcomes(), ["key_unknown", "key_unknown", "in_use"]);
  assert.equal(conduct.changes, 0);
  assert.equal(choice.slot, 0);
});

test("while a switch is under way another instruction has to come again", async () => {
  const { choice, instruct, outcomes } = arrange();
  await instruct(useSlot(1), 1);

  await instruct(useSlot(2), 2);
  assert.deepEqual(outcomes(), ["busy"]);
  choice.accepted("key-b");
  await instruct(useSlot(2), 2);

  assert.equal(choice.slot, 2);
});

test("a device whose key is refused tries the others, once each, and says which one it came to use", () => {
  const { choice, store, events } = arrange();
  const tried: string[] = [];

  for (let i = 0; i < refusalsBeforeOthers + 2; i++) {
    tried.push(choice.signer.keyId);
    choice.refused(choice.signer.keyId);
  }
  assert.deepEqual(tried, ["key-a", "key-a", "key-b", "key-c"]);
  assert.equal(choice.signer.keyId, "key-a");

  for (let i = 0; i < refusalsBetweenRounds; i++) choice.refused("key-a");
  choice.accepted("key-b");

  assert.deepEqual(events, [{ kind: "key_changed", keyId: "key-b", slot: 1, because: "previous_refused" }]);
  assert.equal(decodeKeyMemory(store.bytes ?? new Uint8Array())?.slot, 1);
});

test("a blocked device keeps to its own key for all but two of every 32 tries", () => {
  const rounds = new KeyRounds();
  const places = Array.from({ length: 2_000 }, () => rounds.refused(3));

  const elsewhere = places.filter((place) => place !== 0).length;
  assert.ok(elsewhere <= (2_000 / (refusalsBetweenRounds + 1)) * 2 + 2, `${elsewhere}`);
  assert.deepEqual(new Set(places), new Set([0, 1, 2]));
});

test("a device with one key is tried again and again with that one", () => {
  const { choice } = arrange({ keys: keys.slice(0, 1) });

  for (let i = 0; i < 100; i++) choice.refused("key-a");

  assert.equal(choice.signer.keyId, "key-a");
});

test("more keys than three, a slot twice and an id twice are a mistake of whoever puts the agent together", () => {
  const [a, b] = keys as readonly [SlotSigner, SlotSigner];
  const store = makeStore();

  for (const wrong of [
    [],
    [...keys, { slot: 3, signer: signerOf("key-d") }],
    [a, { ...b, slot: 0 }],
    [a, { ...a, slot: 1 }],
    [{ ...a, slot: 255 }],
  ]) {
    assert.throws(() => createDeviceKeys(wrong, { store }), RangeError);
  }
});

test("what is remembered is read again, and anything else is as good as nothing", () => {
  for (const memory of [
    { slot: 0, next: undefined, number: 0 },
    { slot: 254, next: 3, number: 2 ** 48 - 1 },
    { slot: 1, next: 0, number: 1_800_000_000 },
  ]) {
    assert.deepEqual(decodeKeyMemory(encodeKeyMemory(memory)), memory);
  }
  assert.equal(decodeKeyMemory(new Uint8Array(keyMemoryBytes)), undefined);
  assert.equal(decodeKeyMemory(new Uint8Array(keyMemoryBytes - 1).fill(1)), undefined);
});

// ── Making keys ─────────────────────────────────────────────────────────────────────────────────────────────

const challenge = new Uint8Array(20).fill(3);
const offerKey = (slot: number): InstructionOrder => ({ scope: "offer-key", slot, challenge });

function makerOf(slots: readonly number[]) {
  const made: number[] = [];
  const conduct = { isBroken: false };
  const maker: KeyMaker = {
    slots,
    async make(slot) {
      if (conduct.isBroken) throw new Error("secret of the bus");
      made.push(slot);
      return { signer: signerOf(`new-${made.length}`), publicKey: new Uint8Array(64).fill(7) };
    },
  };
  return { maker, made, conduct };
}

test("a key is made in a spare slot and offered by the current one; then it can be switched to", async () => {
  const { maker, made } = makerOf([1]);
  const { choice, sent, instruct, outcomes } = arrange({ keys: keys.slice(0, 1), maker });

  await instruct(offerKey(1), 1);

  assert.deepEqual(made, [1]);
  assert.equal(choice.signer.keyId, "key-a");
  assert.deepEqual(outcomes(), ["done"]);
  const [header, claims] = (sent[0]?.text ?? "")
    .split(".", 2)
    .map((part) => utf8Decode(base64urlDecode(part)));
  assert.equal(sent[0]?.subfolder, keyOfferSubfolder);
  assert.deepEqual(JSON.parse(header ?? ""), { alg: "ES256", typ: "mayfly-key-offer+jwt", kid: "key-a" });
  assert.equal(JSON.parse(claims ?? "").sub, device);

  await instruct(useSlot(1), 2);
  assert.equal(choice.signer.keyId, "new-1");
});

test("the slot in use is never made anew, nor one nobody has set aside, nor a fourth", async () => {
  const { maker, made } = makerOf([0, 1, 3]);
  const { instruct, outcomes } = arrange({ maker });

  await instruct(offerKey(0), 1);
  await instruct(offerKey(2), 1);
  await instruct(offerKey(3), 1);
  const without = arrange();
  await without.instruct(offerKey(1), 1);

  assert.deepEqual(outcomes(), ["in_use", "not_offered", "not_offered"]);
  assert.deepEqual(without.outcomes(), ["not_offered"]);
  assert.deepEqual(made, []);
});

test("the number is on record before a key is made: a repeat makes no second one", async () => {
  const { maker, made } = makerOf([1]);
  const { store, instruct, outcomes } = arrange({ maker });
  store.isBroken = true;
  await instruct(offerKey(1), 4);
  assert.deepEqual(made, []);

  store.isBroken = false;
  await instruct(offerKey(1), 4);
  await instruct(offerKey(1), 4);

  assert.deepEqual(made, [1]);
  assert.deepEqual(outcomes(), ["not_stored", "done", "repeated"]);
});

test("a chip that makes no key, and an outbox without room, are told without the reason's words", async () => {
  const { maker, conduct: bus } = makerOf([1]);
  const house = arrange({ maker });
  bus.isBroken = true;

  await house.instruct(offerKey(1), 1);

  assert.deepEqual(house.outcomes(), ["offer_failed"]);
  assert.ok(!JSON.stringify([house.sent, house.events]).includes("secret"));

  bus.isBroken = false;
  house.conduct.isFull = true;
  await house.instruct(offerKey(1), 2);
  assert.equal(house.choice.lastInstruction?.outcome, "offer_failed");
  house.conduct.isFull = false;
  await house.instruct(useSlot(1), 3);
  assert.equal(house.choice.signer.keyId, "new-1", "what was in the slot is gone, offered or not");
});

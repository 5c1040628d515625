import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { bytesOf, mayflyZone } from "../../test/provisioning-data.ts";
import {
  composeConfigZone,
  configZoneFor,
  mayflyConfigOrder,
  mayflyImmutableConfigOrder,
} from "./compose-config-zone.ts";
import { configFields, fieldAt } from "./config-field.ts";
import {
  decodeConfigZone,
  encodeConfigZone,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
} from "./config-zone.ts";
import { counterMax, decodeCounter, encodeCounter } from "./counter-value.ts";
import { diffConfigZones, differencesFromPlan } from "./diff-config-zones.ts";
import { explainConfigZone } from "./explain-config-zone.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import {
  decodeKeyConfig,
  decodeSlotConfig,
  encodeKeyConfig,
  encodeSlotConfig,
  slotRights,
} from "./slot-config.ts";
import { composeSlot, type SlotRole } from "./slot-lifecycle.ts";

const zones = fc.uint8Array({ minLength: 128, maxLength: 128 });
/** What any open chip may hold before we come. */
const openZone = (bytes: Uint8Array) => decodeConfigZone(withByte(bytes, 87, 0x55));

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

test("any 128 bytes decode to a configuration that encodes back to them", () => {
  fc.assert(
    fc.property(zones, (bytes) => {
      assert.deepEqual(encodeConfigZone(decodeConfigZone(bytes)), bytes);
    }),
  );
});

test("a single set bit anywhere survives decoding and encoding", () => {
  for (let bit = 0; bit < 1024; bit++) {
    const bytes = withByte(new Uint8Array(128), bit >> 3, 1 << (bit & 7));

    assert.deepEqual(encodeConfigZone(decodeConfigZone(bytes)), bytes, `bit ${bit}`);
  }
});

test("a zone of any other length is refused", () => {
  for (const length of [0, 32, 127, 129]) {
    assert.throws(
      () => decodeConfigZone(new Uint8Array(length)),
      (error) => error instanceof ProvisioningError && error.code === "config_zone_malformed",
    );
  }
});

test("every SlotConfig and KeyConfig word survives decoding and encoding", () => {
  for (let word = 0; word <= 0xffff; word++) {
    assert.equal(encodeSlotConfig(decodeSlotConfig(word)), word);
    assert.equal(encodeKeyConfig(decodeKeyConfig(word)), word);
  }
});

test("the table of fields covers the zone, each byte once", () => {
  const covered = configFields.flatMap(({ at, bytes }) => Array.from({ length: bytes }, (_, i) => at + i));

  assert.deepEqual(
    covered,
    Array.from({ length: 128 }, (_, i) => i),
  );
  assert.equal(fieldAt(86).name, "data lock");
});

test("the trace's first bytes read as serial number, revision and address", () => {
  const zone = decodeConfigZone(mayflyZone);

  assert.deepEqual(zone.serialNumber, bytesOf("01 23 7A 1B 4D 2E 3C 91 EE"));
  assert.deepEqual(zone.revision, bytesOf("00 00 60 03"));
  assert.deepEqual([zone.aesEnable, zone.i2cEnable, zone.i2cAddress], [1, 1, 0xc0]);
  assert.deepEqual([isConfigLocked(zone), isDataLocked(zone), isSlotLocked(zone, 15)], [false, false, false]);
});

test("the clock dividers of the reference are read from ChipMode", () => {
  const divider = (byte: number) => decodeConfigZone(withByte(mayflyZone, 19, byte)).chipMode.clockDivider;

  assert.deepEqual([divider(0x00), divider(0x28), divider(0x68)], [0x00, 0x05, 0x0d]);
});

test("the recommended configuration is §3.4, byte for byte, whatever the open chip held", () => {
  fc.assert(
    fc.property(zones, (held) => {
      const bytes = encodeConfigZone(composeConfigZone(openZone(held), mayflyConfigOrder));

      assert.deepEqual(bytes.slice(16, 84), mayflyZone.slice(16, 84));
      assert.deepEqual(bytes.slice(88), mayflyZone.slice(88));
    }),
  );
});

test("the chip's own bytes and its locks stay as they are", () => {
  fc.assert(
    fc.property(zones, (held) => {
      const base = openZone(held);

      const bytes = encodeConfigZone(configZoneFor(base, mayflyConfigOrder));

      assert.deepEqual(bytes.slice(0, 16), held.slice(0, 16));
      assert.deepEqual(bytes.slice(84, 88), encodeConfigZone(base).slice(84, 88));
    }),
  );
});

test("the immutable variant differs in the six words the reference names", () => {
  const base = decodeConfigZone(mayflyZone);

  const differences = diffConfigZones(base, composeConfigZone(base, mayflyImmutableConfigOrder));

  assert.deepEqual(
    differences.map(({ field, after }) => [field.name, Buffer.from(after).toString("hex")]),
    [
      ["slot configuration of slot 0", "8100"],
      ["slot configuration of slot 2", "8100"],
      ["slot configuration of slot 3", "8100"],
      ["key configuration of slot 0", "1300"],
      ["key configuration of slot 2", "1300"],
      ["key configuration of slot 3", "1300"],
    ],
  );
});

test("nothing is composed for a configuration that is locked", () => {
  assert.throws(
    () => composeConfigZone(decodeConfigZone(withByte(mayflyZone, 87, 0)), mayflyConfigOrder),
    (error) => error instanceof ProvisioningError && error.code === "chip_unexpected",
  );
});

const lifecycles: readonly { role: SlotRole; slot: string; key: string; genKey: boolean }[] = [
  { role: { kind: "signing", lifecycle: "immutable" }, slot: "8100", key: "1300", genKey: false },
  { role: { kind: "signing", lifecycle: "rotatable" }, slot: "8120", key: "3300", genKey: true },
  {
    role: { kind: "signing", lifecycle: "authorised", authKeySlot: 5 },
    slot: "8120",
    key: "b305",
    genKey: true,
  },
];
for (const { role, slot, key, genKey } of lifecycles) {
  test(`the lifecycle ${JSON.stringify(role)} is ${slot} / ${key} of §3.3`, () => {
    const composed = composeSlot(role);

    const wire = (word: number) => Buffer.from([word & 0xff, word >> 8]).toString("hex");
    const rights = slotRights(composed.slot, composed.key);
    assert.equal(wire(encodeSlotConfig(composed.slot)), slot);
    assert.equal(wire(encodeKeyConfig(composed.key)), key);
    assert.equal(rights.genKeyAfterLock, genKey);
    assert.deepEqual([rights.externalSign, rights.internalSign, rights.privWrite], [true, false, false]);
  });
}

test("the counters begin as the reference prints zero", () => {
  assert.deepEqual(encodeCounter(0), bytesOf("FF FF FF FF 00 00 00 00"));
});

test("the first sixteen counts shift the first half, the next sixteen the second", () => {
  assert.deepEqual(encodeCounter(1), bytesOf("7F FF FF FF 00 00 00 00"));
  assert.deepEqual(encodeCounter(16), bytesOf("00 00 FF FF 00 00 00 00"));
  assert.deepEqual(encodeCounter(17), bytesOf("00 00 7F FF 00 00 00 00"));
  assert.deepEqual(encodeCounter(32), bytesOf("FF FF 00 00 00 01 00 00"));
  assert.deepEqual(encodeCounter(48), bytesOf("00 00 FF FF 00 01 00 01"));
});

test("every counter value survives encoding and decoding", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: counterMax })),
      (value) => {
        assert.deepEqual(decodeCounter(encodeCounter(value)), { kind: "value", value });
      },
    ),
  );
  assert.deepEqual(decodeCounter(encodeCounter(counterMax)), { kind: "value", value: counterMax });
});

test("counter bytes that mean no value are kept as they are", () => {
  const bytes = bytesOf("A5 FF FF FF 00 00 00 00");

  assert.deepEqual(decodeCounter(bytes), { kind: "malformed", bytes });
});

test("a counter that has counted is a difference while the zone is open, and none once it is locked", () => {
  const planned = decodeConfigZone(mayflyZone);
  const counted = { ...planned, counters: [{ kind: "value", value: 3 }, planned.counters[1]] as const };

  assert.deepEqual(
    differencesFromPlan(counted, planned, "open").map(({ sentence }) => sentence),
    ["Counter 0 changes from 1F FF FF FF 00 00 00 00 to FF FF FF FF 00 00 00 00 (byte 52)."],
  );
  assert.deepEqual(differencesFromPlan(counted, planned, "locked"), []);
});

test("the recommended configuration is explained in sentences an engineer can check", () => {
  const { chip, slots } = explainConfigZone(decodeConfigZone(mayflyZone));

  assert.deepEqual(chip, [
    "The configuration is open. It can still be changed.",
    "The data zone is open. The rights below are not in force yet.",
    "The chip answers at I2C address 0x60.",
    "It runs at its fast clock. A signature takes up to 115 ms.",
    "It falls asleep 0.7 to 1.7 s after it was woken.",
  ]);
  assert.deepEqual(slots[0], [
    "Slot 0 holds a private key.",
    "It signs what the host sends.",
    "The chip tells its public key.",
    "A new key can be made here at any time. That destroys the old one at once.",
    "The slot can be locked for ever later.",
  ]);
  assert.deepEqual(slots[1], [
    "Slot 1 holds a private key.",
    "It signs only what the chip itself finds out about its keys.",
    "The chip tells its public key.",
    "The key in it at the data lock stays for ever. Nobody can replace it.",
  ]);
  assert.deepEqual(slots[10], [
    "Slot 10 holds data.",
    "Anybody can read it.",
    "Anybody can overwrite it.",
    "The slot can be locked for ever later.",
  ]);
  assert.deepEqual(slots[4], [
    "Slot 4 holds a secret.",
    "Nobody can read it.",
    "Nobody can overwrite it after the data lock.",
  ]);
});

test("every configuration has an explanation: at least two sentences a slot, each ending in a full stop", () => {
  fc.assert(
    fc.property(zones, (bytes) => {
      const { chip, slots } = explainConfigZone(decodeConfigZone(bytes));

      assert.equal(slots.length, 16);
      assert.ok(slots.every((sentences) => sentences.length >= 2));
      assert.ok([...chip, ...slots.flat()].every((sentence) => sentence.endsWith(".")));
    }),
  );
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../test/provisioning-data.ts";
import { decodeInternalMessage, encodeInternalMessage, type InternalMessage } from "./internal-message.ts";
import { ProvisioningError } from "./provisioning-error.ts";

const message: InternalMessage = {
  tempKey: new Uint8Array(32).fill(0xaa),
  mode: 0x40,
  signingSlot: 1,
  slotConfig: 0x2081,
  keyConfig: 0x0033,
  flags: { keyId: 2, fixedInput: false, genDigData: false, genKeyData: true, noMac: false },
  serialNumber: bytesOf("01 23 7A 1B 4D 2E 3C 91 EE"),
  slotUnlocked: true,
  publicKeyInvalid: false,
};

test("the message has its 55 bytes where the reference puts them", () => {
  assert.deepEqual(
    encodeInternalMessage(message),
    bytesOf(
      `${"AA".repeat(32)} 41 40 01 00  81 20  33 00  42 00 00  EE  4D 2E 3C 91  01 23  7A 1B  01 00 00`,
    ),
  );
});

test("without the full serial number only its constant bytes are in the message", () => {
  assert.deepEqual(
    encodeInternalMessage({ ...message, mode: 0x00 }).slice(40),
    bytesOf("42 00 00  EE  00 00 00 00  01 23  00 00  01 00 00"),
  );
});

test("every message decodes to what it was made of", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const word = fc.integer({ min: 0, max: 0xffff });
  const plain = { noNullPrototype: true } as const;
  const messages = fc.record(
    {
      tempKey: bytes(32),
      mode: fc.constantFrom(0x40, 0x41),
      signingSlot: fc.integer({ min: 0, max: 15 }),
      slotConfig: word,
      keyConfig: word,
      flags: fc.record(
        {
          keyId: fc.integer({ min: 0, max: 15 }),
          fixedInput: fc.boolean(),
          genDigData: fc.boolean(),
          genKeyData: fc.boolean(),
          noMac: fc.boolean(),
        },
        plain,
      ),
      serialNumber: bytes(9),
      slotUnlocked: fc.boolean(),
      publicKeyInvalid: fc.boolean(),
    },
    plain,
  );

  fc.assert(
    fc.property(messages, (made) => {
      assert.deepEqual(decodeInternalMessage(encodeInternalMessage(made)), made);
    }),
  );
});

test("bytes where the chip has constants are refused, and so is every other length", () => {
  const good = encodeInternalMessage(message);
  const wrong = [good.slice(0, 54), Uint8Array.from([...good, 0]), new Uint8Array(0)];
  for (const at of [32, 41, 42, 52, 53, 54]) {
    const changed = good.slice();
    changed[at] = 0x77;
    wrong.push(changed);
  }

  for (const bytes of wrong) {
    assert.throws(
      () => decodeInternalMessage(bytes),
      (error) => error instanceof ProvisioningError && error.code === "attestation_malformed",
    );
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeEcKey, NodeVerifier, nodeSha256, signEs256 } from "../test/node-verifier.ts";
import {
  AttestationError,
  type AttestationErrorCode,
  type AttestationExpectation,
  attestationMessage,
  type KeyAttestation,
  verifyKeyAttestation,
} from "./attestation.ts";
import { hexDecode, hexEncode } from "./bytes.ts";

const attestationKey = makeEcKey("attestation");
const otherKey = makeEcKey("other");
const ports = { sha256: nodeSha256, verifier: new NodeVerifier() };

const unsigned: Omit<KeyAttestation, "signature"> = {
  serialNumber: hexDecode("01237a1b4d2e3c91ee"),
  challenge: new Uint8Array(20).fill(0xc4),
  randomOutput: new Uint8Array(32).fill(0x5e),
  slot: 2,
  publicKey: Uint8Array.from({ length: 64 }, (_, i) => i),
  created: true,
  attestationSlot: 1,
  slotConfig: 0x2081,
  keyConfig: 0x0033,
  slotLocked: false,
};

function attest(changes: Partial<KeyAttestation> = {}, key = attestationKey): KeyAttestation {
  const facts = { ...unsigned, ...changes };
  return { signature: signEs256(key, attestationMessage(facts, nodeSha256)), ...facts };
}

const expected: AttestationExpectation = {
  serialNumber: unsigned.serialNumber,
  challenge: unsigned.challenge,
  slot: 2,
  attestationSlot: 1,
  attestationKey: attestationKey.publicKey,
};

function refusal(attestation: KeyAttestation, expectation = expected): AttestationErrorCode {
  try {
    verifyKeyAttestation(attestation, expectation, ports);
  } catch (error) {
    assert.ok(error instanceof AttestationError, String(error));
    return error.code;
  }
  assert.fail("the attestation was taken");
}

test("a good attestation gives the key and what may become of it", () => {
  assert.deepEqual(verifyKeyAttestation(attest(), expected, ports), {
    publicKey: unsigned.publicKey,
    created: true,
    replaceable: true,
  });
});

test("a slot that is locked, or was configured so, holds its key for ever", () => {
  const locked = verifyKeyAttestation(attest({ slotLocked: true }), expected, ports);
  const immutable = verifyKeyAttestation(attest({ slotConfig: 0x0081, keyConfig: 0x0013 }), expected, ports);

  assert.deepEqual([locked.replaceable, immutable.replaceable], [false, false]);
});

test("the 55 bytes are where the reference puts them", () => {
  const message = hexEncode(attestationMessage(unsigned, nodeSha256));

  assert.equal(message.length, 110);
  assert.equal(message.slice(64), `41400100${"8120"}${"3300"}${"420000"}ee${"4d2e3c91"}0123${"7a1b"}010000`);
});

test("the digests inside are of the nonce and of the public key", () => {
  const digested: string[] = [];
  const sha256 = {
    digest: (bytes: Uint8Array) => {
      digested.push(hexEncode(bytes));
      return nodeSha256.digest(bytes);
    },
  };

  attestationMessage(unsigned, sha256);

  const [nonce = "", genKey = ""] = digested;
  assert.equal(nonce, `${"5e".repeat(32)}${"c4".repeat(20)}160000`);
  assert.equal(genKey.slice(64), `400c0200ee0123${"00".repeat(25)}${hexEncode(unsigned.publicKey)}`);
});

const refusals: readonly { why: string; attestation: KeyAttestation; code: AttestationErrorCode }[] = [
  {
    why: "answers another challenge",
    attestation: attest({ challenge: new Uint8Array(20) }),
    code: "attestation_challenge_mismatch",
  },
  {
    why: "is of another chip",
    attestation: attest({ serialNumber: hexDecode("01237a1b4d2e3c92ee") }),
    code: "attestation_chip_mismatch",
  },
  { why: "is of another slot", attestation: attest({ slot: 3 }), code: "attestation_slot_mismatch" },
  {
    why: "is by another slot",
    attestation: attest({ attestationSlot: 0 }),
    code: "attestation_slot_mismatch",
  },
  {
    why: "is by another chip's key",
    attestation: attest({}, otherKey),
    code: "attestation_signature_invalid",
  },
  {
    why: "claims that an old key was just created",
    attestation: { ...attest({ created: false }), created: true },
    code: "attestation_signature_invalid",
  },
  {
    why: "hides a slot that lets keys be brought in",
    attestation: { ...attest({ slotConfig: 0x6081 }), slotConfig: 0x2081 },
    code: "attestation_signature_invalid",
  },
  {
    why: "is of a slot that lets keys be brought in",
    attestation: attest({ slotConfig: 0x6081 }),
    code: "attestation_slot_unsafe",
  },
  {
    why: "is of a slot that is not secret",
    attestation: attest({ slotConfig: 0x2001 }),
    code: "attestation_slot_unsafe",
  },
  {
    why: "is of a slot that could forge attestations",
    attestation: attest({ slotConfig: 0x2083 }),
    code: "attestation_slot_unsafe",
  },
  {
    why: "is of a slot without a private key",
    attestation: attest({ keyConfig: 0x0032 }),
    code: "attestation_slot_unsafe",
  },
  {
    why: "is of a slot for another type of key",
    attestation: attest({ keyConfig: 0x003f }),
    code: "attestation_slot_unsafe",
  },
  {
    why: "has a short public key",
    attestation: { ...attest(), publicKey: new Uint8Array(63) },
    code: "attestation_malformed",
  },
  { why: "names slot 16", attestation: { ...attest(), slot: 16 }, code: "attestation_malformed" },
  {
    why: "has a word that is none",
    attestation: { ...attest(), slotConfig: 0x10000 },
    code: "attestation_malformed",
  },
  {
    why: "has r = s = 0",
    attestation: { ...attest(), signature: new Uint8Array(64) },
    code: "attestation_malformed",
  },
];
for (const { why, attestation, code } of refusals) {
  test(`an attestation that ${why} is refused: ${code}`, () => {
    assert.equal(refusal(attestation), code);
  });
}

test("every flipped bit of nonce, key or signature is refused", () => {
  const good = attest();
  const parts = fc.constantFrom("randomOutput", "publicKey", "signature" as const);

  fc.assert(
    fc.property(parts, fc.nat(511), (part, bit) => {
      const name = part as "randomOutput" | "publicKey" | "signature";
      const bytes = good[name].slice();
      const at = (bit >> 3) % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));

      const code = refusal({ ...good, [name]: bytes });

      assert.ok(code === "attestation_signature_invalid" || code === "attestation_malformed");
    }),
  );
});

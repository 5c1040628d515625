import assert from "node:assert/strict";
import test from "node:test";
import { makeEcKey, makeSigner, NodeVerifier, nodeSha256, signEs256 } from "../../test/node-verifier.ts";
import { candidate, makeContext, makeDevice } from "../../test/token-maker.ts";
import { AttestationError, attestationMessage, type KeyAttestation } from "../attestation.ts";
import { base64urlDecode, base64urlEncode, hexDecode, utf8Decode, utf8Encode } from "../bytes.ts";
import {
  type KeyOffer,
  keyOfferBytesMax,
  type OfferExpectation,
  stateKeyOffer,
  verifyKeyOffer,
} from "./key-offer.ts";
import { TokenError } from "./token-error.ts";
import { verifyDeviceToken } from "./verify.ts";

const current = makeEcKey("slot-0");
const fresh = makeEcKey("slot-1");
const stranger = makeEcKey("stranger");
const attestationKey = makeEcKey("attestation");
const ports = { sha256: nodeSha256, verifier: new NodeVerifier() };
const device = "projects/mayfly/locations/here/registries/lamps/devices/lamp-0";
const publicKey = new Uint8Array(fresh.publicKey.export({ type: "spki", format: "der" }).subarray(-64));

const offer: KeyOffer = { sub: device, number: 7, slot: 2, challenge: new Uint8Array(20).fill(9), publicKey };
const expected: OfferExpectation = {
  names: [device, `${device.slice(0, -6)}123456`],
  number: 7,
  slot: 2,
  challenge: offer.challenge,
  currentKey: current.publicKey,
};
const chip = {
  serialNumber: hexDecode("01237a1b4d2e3c91ee"),
  attestationSlot: 1,
  attestationKey: attestationKey.publicKey,
};

function attested(changes: Partial<KeyAttestation> = {}, key = attestationKey): KeyOffer {
  const facts = {
    serialNumber: chip.serialNumber,
    challenge: offer.challenge,
    randomOutput: new Uint8Array(32).fill(5),
    slot: 2,
    publicKey,
    created: true,
    attestationSlot: 1,
    slotConfig: 0x2081,
    keyConfig: 0x0033,
    slotLocked: false,
    ...changes,
  };
  const { challenge, slot, publicKey: of, created, ...told } = facts;
  return {
    ...offer,
    attestation: { ...told, signature: signEs256(key, attestationMessage(facts, nodeSha256)) },
  };
}

async function state(what: KeyOffer = offer, by = current): Promise<string> {
  const { signer, sha256 } = makeSigner(by);
  return await stateKeyOffer(what, { keyId: "slot-0", signDigest: signer.signDigest }, sha256);
}

function refusal(text: string, change: Partial<OfferExpectation> = {}): string {
  try {
    verifyKeyOffer(text, { ...expected, ...change }, ports);
  } catch (error) {
    assert.ok(error instanceof TokenError || error instanceof AttestationError, String(error));
    return error.code;
  }
  return "taken";
}

function claimsOf(text: string): Record<string, unknown> {
  return JSON.parse(utf8Decode(base64urlDecode(text.split(".")[1] ?? "")));
}

/** The current key signs a header and claims of the test's choice. */
function forge(header: object, claims: object): string {
  const part = (value: object) => base64urlEncode(utf8Encode(JSON.stringify(value)));
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${base64urlEncode(signEs256(current, utf8Encode(input)))}`;
}

test("the current key vouches for a key, and that is all there is to know of it", async () => {
  const offered = verifyKeyOffer(await state(), expected, ports);

  assert.deepEqual(offered, { publicKey, proof: "vouched" });
});

test("a chip attests that the key was made in it, for this very instruction", async () => {
  const text = await state(attested());

  assert.deepEqual(verifyKeyOffer(text, { ...expected, chip }, ports), { publicKey, proof: "attested" });
  assert.ok(text.length <= keyOfferBytesMax);
});

test("an offer of another device, number, slot or challenge is refused", async () => {
  const text = await state();

  assert.equal(refusal(text, { names: ["projects/x"] }), "token_subject_mismatch");
  assert.equal(refusal(text, { number: 8 }), "token_subject_mismatch");
  assert.equal(refusal(text, { slot: 1 }), "token_subject_mismatch");
  assert.equal(refusal(text, { challenge: new Uint8Array(20) }), "token_subject_mismatch");
});

test("an offer the current key did not sign is refused", async () => {
  assert.equal(refusal(await state(offer, stranger)), "token_signature_invalid");
});

test("a device token is no offer, and an offer is no token", async () => {
  const claims = claimsOf(await state());

  assert.equal(refusal(forge({ alg: "ES256", typ: "JWT" }, claims)), "token_header_unsupported");
  assert.equal(refusal(forge({ alg: "ES256" }, claims)), "token_header_unsupported");
  const context = makeContext({ device: makeDevice({ keys: [candidate(current)] }) });
  const text = await state();
  assert.throws(() => verifyDeviceToken(text, context, new NodeVerifier()), {
    code: "token_header_unsupported",
  });
});

test("an attestation of another chip, key or slot, by another key, or where no chip is on record is refused", async () => {
  assert.equal(refusal(await state(attested())), "attestation_chip_mismatch");
  assert.equal(
    refusal(await state(attested({ serialNumber: hexDecode("0123000000000000ee") })), { chip }),
    "attestation_chip_mismatch",
  );
  assert.equal(refusal(await state(attested({}, stranger)), { chip }), "attestation_signature_invalid");
  assert.equal(
    refusal(await state(attested({ publicKey: publicKey.slice().reverse() })), { chip }),
    "attestation_signature_invalid",
  );
  assert.equal(
    refusal(await state(attested({ created: false })), { chip }),
    "attestation_signature_invalid",
    "a key that was there before is no new key",
  );
  assert.equal(refusal(await state(attested({ slotConfig: 0x6081 })), { chip }), "attestation_slot_unsafe");
});

test("an attestation cut out of an offer does not pass as a vouch with something left over", async () => {
  const { sig, ...rest } = claimsOf(await state(attested()));

  assert.ok(typeof sig === "string");
  assert.equal(
    refusal(forge({ alg: "ES256", typ: "mayfly-key-offer+jwt" }, rest), { chip }),
    "token_claims_malformed",
  );
});

test("claims of another shape are refused one by one", async () => {
  const header = { alg: "ES256", typ: "mayfly-key-offer+jwt" };
  const whole = claimsOf(await state(attested()));

  for (const name of [
    "x",
    "y",
    "chip",
    "random",
    "attestationSlot",
    "slotConfig",
    "keyConfig",
    "slotLocked",
    "sig",
  ]) {
    for (const value of [null, 7.5, "AA", {}]) {
      assert.equal(
        refusal(forge(header, { ...whole, [name]: value }), { chip }),
        "token_claims_malformed",
        name,
      );
    }
  }
  assert.equal(refusal(forge(header, { ...whole, more: 1 }), { chip }), "token_claims_malformed");
  assert.equal(refusal(forge({ ...header, alg: "RS256" }, whole)), "token_algorithm_unsupported");
  assert.equal(refusal("x".repeat(keyOfferBytesMax + 1)), "token_too_large");
});

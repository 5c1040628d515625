/**
 * A chip provisioned by the front doors alone: every signature of it is verified by core, and core knows nothing of
 * the driver. What the two must hold equal (the 55 bytes, the signer's shape) meets here.
 */
import assert from "node:assert/strict";
import { createHash, createPublicKey, KeyObject, randomBytes, verify } from "node:crypto";
import test from "node:test";
import {
  AttestationError,
  type AttestationExpectation,
  type Sha256,
  verifyKeyAttestation,
} from "@mayfly/core";
import {
  type PossessionFacts,
  type SignatureVerifier,
  statePossession,
  verifyPossession,
} from "@mayfly/core/token";
import { nodeSimCrypto } from "@mayfly/secure-element/node";
import {
  attestKey,
  type ChipIdentity,
  chipSerialText,
  mayflyConfigOrder,
  type ProvisioningPorts,
  type ProvisioningReport,
  runProvisioning,
} from "@mayfly/secure-element/provisioning";
import { Atecc608, slotSigner } from "@mayfly/secure-element/signer";
import { createChipSim, simBus } from "@mayfly/secure-element/sim";

const sha256: Sha256 = { digest: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()) };
const verifier: Pick<SignatureVerifier, "verify"> = {
  verify: (_alg, handle, signingInput, signature) =>
    handle instanceof KeyObject &&
    verify("sha256", signingInput, { key: handle, dsaEncoding: "ieee-p1363" }, signature),
};
const ports = { sha256, verifier };

function handleOf(publicKey: Uint8Array | undefined): KeyObject {
  assert.equal(publicKey?.length, 64);
  const part = (start: number) =>
    Buffer.from(publicKey?.subarray(start, start + 32) ?? "").toString("base64url");
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: part(0), y: part(32) }, format: "jwk" });
}

function expectationFor(
  identity: ChipIdentity,
  wanted: { readonly slot: number; readonly challenge: Uint8Array },
): AttestationExpectation {
  const attestationKey = handleOf(identity.publicKeys.get(1));
  return { serialNumber: identity.serialNumber, attestationSlot: 1, attestationKey, ...wanted };
}

function makeChip(): Atecc608 {
  const bus = simBus(createChipSim({ crypto: nodeSimCrypto(), seed: 3 }));
  return new Atecc608(bus, { time: bus });
}

async function provision(chip: Atecc608): Promise<ProvisioningReport> {
  let challenge: Uint8Array = new Uint8Array(20);
  const station: ProvisioningPorts = {
    chip,
    currentAddress: 0x60,
    challenge: () => {
      challenge = new Uint8Array(randomBytes(20));
      return challenge;
    },
    makeContents: async () => ({ slots: new Map(), otp: new Uint8Array(0) }),
    checkContents: async () => undefined,
    provePossession: async (slot, publicKey, { serialNumber }) => {
      const chipSerial = chipSerialText(serialNumber);
      const facts: PossessionFacts = {
        chipSerial,
        slot,
        publicKey,
        challenge: new Uint8Array(randomBytes(32)),
      };
      const statement = await statePossession(facts, slotSigner(chip, { slot, keyId: "new" }), sha256);
      verifyPossession(statement, facts, handleOf(publicKey), ports);
      return true;
    },
    checkAttestation: async (attestation, identity) => {
      verifyKeyAttestation(attestation, expectationFor(identity, { slot: 1, challenge }), ports);
      return true;
    },
    agreeToLock: async () => true,
    remember: async () => undefined,
  };
  const outcome = await runProvisioning(station, {
    order: mayflyConfigOrder,
    lockSlots: [],
    addressChangeWanted: false,
  });
  if (outcome.kind === "done") return outcome.report;
  assert.fail(JSON.stringify(outcome));
}

test("a chip is provisioned with statements and attestations that core verifies", async () => {
  const report = await provision(makeChip());

  assert.deepEqual([...report.publicKeys.keys()], [0, 1, 2, 3]);
});

test("a key the chip makes in the field is attested, and core takes it", async () => {
  const chip = makeChip();
  const report = await provision(chip);
  const challenge = new Uint8Array(randomBytes(20));

  const attestation = await attestKey(chip, { slot: 2, attestationSlot: 1, challenge, key: "new" });

  assert.deepEqual(verifyKeyAttestation(attestation, expectationFor(report, { slot: 2, challenge }), ports), {
    publicKey: await chip.publicKey(2),
    created: true,
    replaceable: true,
  });
  assert.notDeepEqual(attestation.publicKey, report.publicKeys.get(2));
});

test("an attestation of another chip is not taken for this one's", async () => {
  const bus = simBus(createChipSim({ crypto: nodeSimCrypto(), seed: 4 }));
  const other = new Atecc608(bus, { time: bus });
  const report = await provision(makeChip());
  await provision(other);
  const challenge = new Uint8Array(randomBytes(20));

  const foreign = await attestKey(other, { slot: 2, attestationSlot: 1, challenge, key: "existing" });
  const disguised = { ...foreign, serialNumber: report.serialNumber };

  const expected = expectationFor(report, { slot: 2, challenge });
  for (const attestation of [foreign, disguised]) {
    assert.throws(() => verifyKeyAttestation(attestation, expected, ports), AttestationError);
  }
});

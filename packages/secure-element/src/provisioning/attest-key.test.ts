import assert from "node:assert/strict";
import test from "node:test";
import { bytesOf } from "../../test/provisioning-data.ts";
import { attestedMessage, isSignedBy, makeStation, mayflyPlan } from "../../test/provisioning-station.ts";
import { attestKey } from "./attest-key.ts";
import { computePublicKey, lockSlot } from "./chip-commands.ts";
import { decodeInternalMessage } from "./internal-message.ts";

const challenge = new Uint8Array(20).fill(0xc4);

async function provisionedChip(faults = {}) {
  const station = makeStation({ faults });
  const outcome = await station.run({}, mayflyPlan);
  assert.equal(outcome.kind, "done");
  const chip = station.chip();
  return { chip, attestationKey: await computePublicKey(chip, 1) };
}

test("the attestation slot vouches for a key that is there", async () => {
  const { chip, attestationKey } = await provisionedChip();

  const attestation = await attestKey(chip, { slot: 0, attestationSlot: 1, challenge, key: "existing" });

  assert.deepEqual(attestation.publicKey, await computePublicKey(chip, 0));
  assert.ok(!attestation.created && !attestation.slotLocked);
  assert.deepEqual([attestation.slotConfig, attestation.keyConfig], [0x2081, 0x0033]);
  assert.ok(isSignedBy(attestationKey, attestedMessage(attestation), attestation.signature));
});

test("a new key is made and vouched for in one piece", async () => {
  const { chip, attestationKey } = await provisionedChip();
  const before = await computePublicKey(chip, 2);

  const attestation = await attestKey(chip, { slot: 2, attestationSlot: 1, challenge, key: "new" });

  assert.notDeepEqual(attestation.publicKey, before);
  assert.deepEqual(attestation.publicKey, await computePublicKey(chip, 2));
  assert.ok(attestation.created);
  assert.ok(isSignedBy(attestationKey, attestedMessage(attestation), attestation.signature));
});

test("a slot lock shows in the attestation", async () => {
  const { chip, attestationKey } = await provisionedChip();
  await lockSlot(chip, 3);

  const attestation = await attestKey(chip, { slot: 3, attestationSlot: 1, challenge, key: "existing" });

  assert.ok(attestation.slotLocked);
  assert.ok(isSignedBy(attestationKey, attestedMessage(attestation), attestation.signature));
  assert.ok(!decodeInternalMessage(attestedMessage(attestation)).slotUnlocked);
});

test("each attestation is fresh, also for the same challenge", async () => {
  const { chip } = await provisionedChip();
  const order = { slot: 0, attestationSlot: 1, challenge, key: "existing" } as const;

  const [first, second] = [await attestKey(chip, order), await attestKey(chip, order)];

  assert.notDeepEqual(first.randomOutput, second.randomOutput);
});

test("a slot that signs tokens cannot attest, and the attestation slot cannot sign tokens", async () => {
  const { chip } = await provisionedChip();

  await assert.rejects(attestKey(chip, { slot: 1, attestationSlot: 0, challenge, key: "existing" }));
  await assert.rejects(chip.signDigest(1, new Uint8Array(32).fill(1)));
});

test("an attestation that is interrupted is begun again as a whole", async () => {
  const { chip, attestationKey } = await provisionedChip({ brown_out: 0.05, watchdog: 0.02 });
  for (let i = 0; i < 10; i++) {
    const attestation = await attestKey(chip, { slot: 2, attestationSlot: 1, challenge, key: "new" }).catch(
      () => undefined,
    );

    if (attestation === undefined) continue;
    assert.ok(isSignedBy(attestationKey, attestedMessage(attestation), attestation.signature));
  }
});

test("a challenge of another length is refused before anything is sent", async () => {
  const station = makeStation();

  const refused = attestKey(station.chip(), {
    slot: 0,
    attestationSlot: 1,
    challenge: bytesOf("01"),
    key: "new",
  });

  await assert.rejects(refused, { code: "attestation_malformed" });
  assert.equal(station.transactions, 0);
});

/**
 * Signed time from the bridge's answerer to a chip: the driver's Verify command, on the simulated chip, is the device's
 * only judge. Core knows nothing of the driver; the two meet in the shape of one port.
 */
import assert from "node:assert/strict";
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import test from "node:test";
import type { Sha256 } from "@mayfly/core";
import {
  encodeTimeRequest,
  TimeAnswerError,
  type TimeExpectation,
  timeNonceBytes,
  verifyTimeAnswer,
} from "@mayfly/core/time-answer";
import { nodeSimCrypto } from "@mayfly/secure-element/node";
import { Atecc608 } from "@mayfly/secure-element/signer";
import { createChipSim, simBus } from "@mayfly/secure-element/sim";
import { createTimeAnswerer } from "@mayfly/server";
import { makeTimeKeyFile, makeTimeRoot, parseTimeKeyFile, pointOf } from "@mayfly/server/node";

const sha256: Sha256 = { digest: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()) };
const startSeconds = 1_800_000_000;

function makeChip() {
  const crypto = nodeSimCrypto();
  let verifications = 0;
  const counting: typeof crypto = {
    ...crypto,
    verifyDigest: (...args) => {
      verifications += 1;
      return crypto.verifyDigest(...args);
    },
  };
  const sim = createChipSim({ crypto: counting, image: "mayfly", seed: 7 });
  const bus = simBus(sim);
  return {
    chip: new Atecc608(bus, { time: bus }),
    verifications: () => verifications,
    nowMicros: () => sim.nowMicros(),
  };
}

/** A bridge's answerer whose clock stands still, with a delegation by a root of its own. */
function makeBridge() {
  const root = makeTimeRoot();
  const order = { rootPem: root.privatePem, nowMillis: startSeconds * 1000, lifetimeMillis: 86_400_000 };
  const key = parseTimeKeyFile(makeTimeKeyFile(order));
  const answerer = createTimeAnswerer({
    clock: { monotonicMillis: () => 0 },
    ownClock: { isTrusted: true, wallSeconds: () => startSeconds },
    findKey: () => key,
    observer: { timeAsked: () => undefined },
  });
  return {
    pin: pointOf(createPublicKey(root.publicPem)),
    ask(nonce: Uint8Array): Uint8Array {
      const outcome = answerer.answer(encodeTimeRequest(nonce), "192.0.2.1", "udp");
      assert.ok(outcome.kind === "answered");
      return outcome.bytes;
    },
  };
}

function expectationWith(pins: readonly Uint8Array[]): TimeExpectation {
  const nonce = new Uint8Array(randomBytes(timeNonceBytes));
  return { nonce, pins, roundTripMillis: 80, limitMillis: 5_000 };
}

test("a chip's Verify command believes the bridge's time: two verifications, no key of the device involved", async (t) => {
  const { chip, verifications, nowMicros } = makeChip();
  const bridge = makeBridge();
  const expected = expectationWith([bridge.pin]);

  const told = await verifyTimeAnswer(bridge.ask(expected.nonce), expected, { verifier: chip, sha256 });

  assert.deepEqual([told.now, told.uncertaintySeconds, told.pin], [startSeconds + 0.04, 1.04, 0]);
  assert.equal(verifications(), 2);
  t.diagnostic(`the chip took ${(nowMicros() / 1000).toFixed(0)} ms of its own time, bus included`);
});

test("a chip that pinned the next root as well takes a time it vouches for", async () => {
  const { chip } = makeChip();
  const [current, next] = [makeBridge(), makeBridge()];
  const expected = expectationWith([current.pin, next.pin]);

  const told = await verifyTimeAnswer(next.ask(expected.nonce), expected, { verifier: chip, sha256 });

  assert.equal(told.pin, 1);
});

test("a chip refuses a time that a strange root's bridge tells", async () => {
  const { chip } = makeChip();
  const expected = expectationWith([makeBridge().pin]);

  const refused = verifyTimeAnswer(makeBridge().ask(expected.nonce), expected, { verifier: chip, sha256 });

  await assert.rejects(refused, { name: "TimeAnswerError", code: "time_delegation_signature_invalid" });
});

test("a chip refuses a time that was changed on its way, wherever a bit was flipped", async () => {
  const { chip } = makeChip();
  const bridge = makeBridge();
  const expected = expectationWith([bridge.pin]);
  const answer = bridge.ask(expected.nonce);

  // One bit in each of the answer's bytes, another one from byte to byte.
  for (let at = 0; at < answer.length; at++) {
    const changed = answer.slice();
    changed[at] = (changed[at] ?? 0) ^ (1 << (at & 7));

    await assert.rejects(
      verifyTimeAnswer(changed, expected, { verifier: chip, sha256 }),
      (error) => error instanceof TimeAnswerError,
    );
  }
});

/**
 * The device's signed time client against a served bridge, over real datagrams: verified by Node's cryptography and by
 * a simulated chip's Verify command. Whether the bytes are right is what `signed-time.test.ts` asks programs of others.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { type DatagramPeer, SignedTimeClient, type SignedTimeOutcome } from "@mayfly/device";
import {
  createOpenDatagram,
  nodeClock,
  nodeRandom,
  nodeSha256,
  nodeTimers,
  nodeTimeVerifier,
} from "@mayfly/device/node";
import { nodeSimCrypto } from "@mayfly/secure-element/node";
import { Atecc608 } from "@mayfly/secure-element/signer";
import { createChipSim, simBus } from "@mayfly/secure-element/sim";
import { BridgeProcess, mayflyMain } from "./bridge-process.ts";

const bridge = new BridgeProcess();
const roots = join(bridge.folder, "roots");
let pins: readonly Uint8Array[] = [];

before(async () => {
  const made = execFileSync(process.execPath, [mayflyMain, "time-key", "init", "--out", roots, "--json"]);
  const { pins: printed } = JSON.parse(made.toString()) as { pins: readonly { publicKey: string }[] };
  pins = printed.map(({ publicKey }) => Uint8Array.from(Buffer.from(publicKey, "hex")));
  const root = join(roots, "time-root-current.key.pem");
  await bridge.must("time-key", "delegate", "--root", root, "--days", "7");
  await bridge.start();
});
after(() => bridge.end());

function timeService(): DatagramPeer {
  const { time } = bridge.endpoints;
  return { host: "127.0.0.1", port: Number(time.slice(time.lastIndexOf(":") + 1)) };
}

type Verifier = ConstructorParameters<typeof SignedTimeClient>[0]["verifier"];

function ask(t: TestContext, verifier: Verifier, pinned: readonly Uint8Array[]): Promise<SignedTimeOutcome> {
  const client = new SignedTimeClient(
    {
      clock: nodeClock,
      timers: nodeTimers,
      random: nodeRandom,
      sha256: nodeSha256,
      openDatagram: createOpenDatagram(),
      verifier,
    },
    { server: timeService(), pins: pinned },
  );
  t.after(() => client.stop());
  return new Promise((resolve) => client.ask(resolve));
}

function makeChip(): Atecc608 {
  const bus = simBus(createChipSim({ crypto: nodeSimCrypto(), image: "mayfly", seed: 11 }));
  return new Atecc608(bus, { time: bus });
}

function assertRight(t: TestContext, outcome: SignedTimeOutcome): void {
  assert.ok(outcome.kind === "verified", JSON.stringify(outcome));
  const { sample, pin, delegationEnds } = outcome;
  const ageSeconds = (nodeClock.monotonicMillis() - sample.atMillis) / 1000;
  const errorSeconds = sample.seconds + ageSeconds - Date.now() / 1000;
  t.diagnostic(
    `${(errorSeconds * 1000).toFixed(1)} ms off, bound ${(sample.boundSeconds * 1000).toFixed(1)} ms`,
  );
  assert.ok(Math.abs(errorSeconds) <= sample.boundSeconds);
  assert.equal(pin, 0);
  const leftDays = (delegationEnds - Date.now() / 1000) / 86_400;
  assert.ok(leftDays > 6.9 && leftDays < 7.1);
}

test("a device without a chip believes a served bridge's signed time", async (t) => {
  assertRight(t, await ask(t, nodeTimeVerifier, pins));
});

test("a device whose chip verifies believes a served bridge's signed time", async (t) => {
  assertRight(t, await ask(t, makeChip(), pins));
});

test("neither believes a bridge whose root it has not pinned", async (t) => {
  const next = pins.slice(1);

  const outcomes = await Promise.all([ask(t, nodeTimeVerifier, next), ask(t, makeChip(), next)]);

  assert.deepEqual(
    outcomes,
    Array(2).fill({ kind: "refused", because: "time_delegation_signature_invalid" }),
  );
});

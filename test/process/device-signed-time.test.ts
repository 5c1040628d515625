/**
 * The device's signed time client against a served bridge, over real datagrams: verified by Node's cryptography and by
 * a simulated chip's Verify command. Whether the bytes are right is what `signed-time.test.ts` asks programs of others.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { type DatagramPeer, SignedTimeClient, type SignedTimeOutcome } from "@mayfly/device";
import {
  createOpenDatagram,
  createTimePost,
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

function timeServiceOf({ endpoints }: BridgeProcess): DatagramPeer {
  const { time } = endpoints;
  return { host: "127.0.0.1", port: Number(time.slice(time.lastIndexOf(":") + 1)) };
}

type Verifier = ConstructorParameters<typeof SignedTimeClient>[0]["verifier"];

function ask(
  t: TestContext,
  verifier: Verifier,
  pinned: readonly Uint8Array[],
  way: { readonly server?: DatagramPeer; readonly fallback?: DatagramPeer } = {},
): Promise<SignedTimeOutcome> {
  const { server = timeServiceOf(bridge), fallback } = way;
  const client = new SignedTimeClient(
    {
      clock: nodeClock,
      timers: nodeTimers,
      random: nodeRandom,
      sha256: nodeSha256,
      openDatagram: createOpenDatagram(),
      verifier,
      ...(fallback === undefined ? {} : { openFallback: createTimePost(fallback) }),
    },
    { server, pins: pinned },
  );
  t.after(() => client.stop());
  return new Promise((resolve) => client.ask(resolve));
}

function httpsOf({ endpoints }: BridgeProcess): DatagramPeer {
  return { host: "127.0.0.1", port: Number(new URL(endpoints.deviceHttps).port) };
}

/** A port that takes datagrams and answers none: a network that lets no UDP out. */
async function openBlackHole(t: TestContext): Promise<DatagramPeer> {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { host: "127.0.0.1", port: socket.address().port };
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

test("where no UDP gets out, a device is told the time over HTTPS", async (t) => {
  const way = { server: await openBlackHole(t), fallback: httpsOf(bridge) };

  assertRight(t, await ask(t, nodeTimeVerifier, pins, way));
});

test("a bridge that nobody gave a key is silent to a device, over UDP and over HTTPS", async (t) => {
  const other = new BridgeProcess();
  t.after(() => other.end());
  await other.start();

  const way = { server: timeServiceOf(other), fallback: httpsOf(other) };
  const outcome = await ask(t, nodeTimeVerifier, pins, way);

  assert.deepEqual(outcome, { kind: "none", because: "silence" });
});

test("a fallback at whose port nobody listens is unreachable", async (t) => {
  const way = { server: await openBlackHole(t), fallback: { host: "127.0.0.1", port: 1 } };

  assert.deepEqual(await ask(t, nodeTimeVerifier, pins, way), { kind: "none", because: "unreachable" });
});

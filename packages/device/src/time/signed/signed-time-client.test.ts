/** Signed time in virtual time: the bridge's own answerer on the other side, and others who would like to be it. */
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import {
  decodeTimeRequest,
  encodeDelegationMessage,
  encodeTimeMessage,
  joinTimeAnswer,
  type TimeDelegation,
} from "@mayfly/core/time-answer";
import { createTimeAnswerer } from "@mayfly/server";
import { makeTimeKeyFile, makeTimeRoot, parseTimeKeyFile, pointOf } from "@mayfly/server/node";
import { DatagramWorld, oneWayMillis, type Serve } from "../../../test/datagram-world.ts";
import { nodeSha256 } from "../../host/node/system-ports.ts";
import { nodeTimeVerifier } from "../../host/node/time-verifier.ts";
import { AgentOptionError } from "../../options.ts";
import {
  SignedTimeClient,
  type SignedTimeOptions,
  type SignedTimeOutcome,
  type SignedTimePorts,
  signedTimeGapMillis,
  signedTimeTriesMax,
  signedTimeWaitMillis,
  verificationsMax,
} from "./signed-time-client.ts";

const server = { host: "bridge", port: 8037 };
const dayMillis = 86_400_000;

function makeRoot() {
  const root = makeTimeRoot();
  return { pem: root.privatePem, pin: pointOf(createPublicKey(root.publicPem)) };
}

/** The bridge's answerer with a key delegated by `rootPem`, one that knows the world's time. */
function bridgeIn(net: DatagramWorld, rootPem: string): (request: Uint8Array) => Uint8Array {
  const nowMillis = net.now() * 1000;
  const key = parseTimeKeyFile(makeTimeKeyFile({ rootPem, nowMillis, lifetimeMillis: 7 * dayMillis }));
  const answerer = createTimeAnswerer({
    clock: net.world.clock,
    ownClock: { isTrusted: true, wallSeconds: () => net.now() },
    findKey: () => key,
    observer: { timeAsked: () => undefined },
  });
  return (request) => {
    const outcome = answerer.answer(request, "192.0.2.1", "udp");
    assert.ok(outcome.kind === "answered");
    return outcome.bytes;
  };
}

/** A client that pinned `root`, in a world where `make` serves. */
function arrange(
  seed: string,
  make: (net: DatagramWorld, bridge: (request: Uint8Array) => Uint8Array) => Serve | undefined,
  change: Partial<SignedTimeOptions> & { readonly verifier?: SignedTimePorts["verifier"] } = {},
) {
  const root = makeRoot();
  const net = new DatagramWorld(seed);
  const serve = make(net, bridgeIn(net, root.pem));
  if (serve !== undefined) net.serve(server.host, serve);
  let verifications = 0;
  const verifier = change.verifier ?? {
    verifyMessage: (...args: Parameters<typeof nodeTimeVerifier.verifyMessage>) => {
      verifications += 1;
      return nodeTimeVerifier.verifyMessage(...args);
    },
  };
  const ports: SignedTimePorts = { ...net.ports, sha256: nodeSha256, verifier };
  const client = new SignedTimeClient(ports, { server, pins: [root.pin], ...change });
  /** Asks, and lets the longest that it may take pass. */
  const ask = async (): Promise<SignedTimeOutcome> => {
    const outcomes: SignedTimeOutcome[] = [];
    client.ask((outcome) => outcomes.push(outcome));
    await net.world.run(20_000);
    const [only] = outcomes;
    assert.ok(only !== undefined && outcomes.length === 1, `told ${outcomes.length} times`);
    return only;
  };
  return { net, root, ports, client, ask, verifications: () => verifications };
}

const honest =
  (_: DatagramWorld, bridge: (request: Uint8Array) => Uint8Array): Serve =>
  (request, reply) =>
    reply(bridge(request));

test("the bridge's signed time is believed: right within its uncertainty, with the pin and the delegation's end", async () => {
  const { net, ask, verifications } = arrange("honest", honest);
  const beganSeconds = net.now();

  const outcome = await ask();

  assert.ok(outcome.kind === "verified", JSON.stringify(outcome));
  const { sample, pin, delegationEnds } = outcome;
  const trueSeconds = beganSeconds + sample.atMillis / 1000;
  assert.ok(Math.abs(sample.seconds - trueSeconds) < 0.002);
  // The bridge's radius of a second, and half the way there and back.
  assert.ok(Math.abs(sample.boundSeconds - (1 + oneWayMillis / 1000)) < 1e-9);
  assert.equal(pin, 0);
  // Seven days, begun ten minutes before the delegation was made.
  assert.ok(Math.abs(delegationEnds - (beganSeconds + 7 * 86_400 - 600)) < 0.002);
  assert.deepEqual([net.sent.length, verifications(), net.socketsOpen], [1, 2, 0]);
});

test("a lost question is asked again, with another nonce, 2 s later, three times in all", async () => {
  let asked = 0;
  const { net, ask } = arrange("lossy", (_, bridge) => (request, reply) => {
    asked += 1;
    if (asked === signedTimeTriesMax) reply(bridge(request));
  });

  const outcome = await ask();

  assert.equal(outcome.kind, "verified");
  assert.deepEqual(net.sentTo("bridge"), [0, signedTimeGapMillis, 2 * signedTimeGapMillis]);
  const nonces = new Set(net.sent.map(({ bytes }) => Buffer.from(decodeTimeRequest(bytes)).toString("hex")));
  assert.equal(nonces.size, signedTimeTriesMax);
});

test("after three questions without an answer it is silence, and the next ask begins anew", async () => {
  const { net, ask } = arrange("silent", () => () => {});

  const outcomes = [await ask(), await ask()];

  assert.deepEqual(outcomes, Array(2).fill({ kind: "none", because: "silence" }));
  assert.deepEqual([net.sent.length, net.socketsOpen, net.socketsOpenMax], [6, 0, 1]);
});

test("where UDP has no answer the fallback is asked, once, after the third question", async () => {
  const detour: { readonly atMillis: number }[] = [];
  const { net, root, ports } = arrange("fallback", () => () => {});
  const bridge = bridgeIn(net, root.pem);
  net.serve("detour", (request, reply) => {
    detour.push({ atMillis: net.world.clock.monotonicMillis() });
    reply(bridge(request));
  });
  const openFallback = (_: unknown, events: Parameters<typeof net.ports.openDatagram>[1]) =>
    net.ports.openDatagram({ host: "detour", port: 443 }, events);
  const client = new SignedTimeClient({ ...ports, openFallback }, { server, pins: [root.pin] });
  const outcomes: SignedTimeOutcome[] = [];

  client.ask((outcome) => outcomes.push(outcome));
  await net.world.run(20_000);

  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ["verified"],
  );
  assert.deepEqual([net.sentTo("bridge").length, detour.length, net.socketsOpenMax], [3, 1, 1]);
  assert.ok((detour[0]?.atMillis ?? 0) >= 3 * signedTimeWaitMillis);
});

test("where UDP has answered the fallback is left alone", async () => {
  const { root, ports, net } = arrange("no fallback", honest);
  const openFallback = () => assert.fail("the fallback was asked");
  const client = new SignedTimeClient({ ...ports, openFallback }, { server, pins: [root.pin] });
  const outcomes: SignedTimeOutcome[] = [];

  client.ask((outcome) => outcomes.push(outcome));
  await net.world.run(20_000);

  assert.equal(outcomes[0]?.kind, "verified");
});

test("a name that is not known is unreachable", async () => {
  const { ask } = arrange("nameless", () => undefined);

  assert.deepEqual(await ask(), { kind: "none", because: "unreachable" });
});

test("a recorded answer is refused as one to another question", async () => {
  let recorded: Uint8Array | undefined;
  const { ask, verifications } = arrange("replay", (_, bridge) => (request, reply) => {
    recorded ??= bridge(request);
    reply(recorded);
  });
  assert.equal((await ask()).kind, "verified");

  const outcome = await ask();

  assert.deepEqual(outcome, { kind: "refused", because: "time_nonce_mismatch" });
  assert.equal(verifications(), 2, "no signature is looked at for a recording");
});

test("forgeries before the true answer do not keep it from being heard", async () => {
  const { ask } = arrange("forgeries first", (_, bridge) => (request, reply) => {
    for (let forged = 0; forged < 20; forged++) reply(bridge(new Uint8Array(request).fill(forged, 23, 55)));
    reply(new Uint8Array(1_200));
    reply(new Uint8Array());
    reply(bridge(request), 1);
  });

  assert.equal((await ask()).kind, "verified");
});

test("a root that is not pinned vouches for nothing", async () => {
  const stranger = makeRoot();
  const { ask } = arrange("strange root", (net) => honest(net, bridgeIn(net, stranger.pem)));

  assert.deepEqual(await ask(), { kind: "refused", because: "time_delegation_signature_invalid" });
});

test("the second pin vouches as well as the first, and is told", async () => {
  const [current, next] = [makeRoot(), makeRoot()];
  const { ask } = arrange("next root", (net) => honest(net, bridgeIn(net, next.pem)), {
    pins: [current.pin, next.pin],
  });

  const outcome = await ask();

  assert.ok(outcome.kind === "verified" && outcome.pin === 1);
});

/** A bridge gone bad: it signs what `told` makes of a nonce, under a delegation of its own making. */
function makeBadBridge(
  net: DatagramWorld,
  delegated: Pick<TimeDelegation, "notBeforeMillis" | "notAfterMillis">,
) {
  const keys = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
  const [root, online] = keys;
  assert.ok(root !== undefined && online !== undefined);
  const signWith = (key: typeof root, message: Uint8Array) =>
    Uint8Array.from(sign("sha256", message, { key: key.privateKey, dsaEncoding: "ieee-p1363" }));
  const delegation = encodeDelegationMessage({ publicKey: pointOf(online.publicKey), ...delegated });
  const signedDelegation = Uint8Array.from([...delegation, ...signWith(root, delegation)]);
  return {
    pin: pointOf(root.publicKey),
    answer(request: Uint8Array): Uint8Array {
      const timeMillis = Math.floor(net.now() * 1000);
      const message = encodeTimeMessage({
        nonce: decodeTimeRequest(request),
        timeMillis,
        radiusMillis: 1_000,
      });
      return joinTimeAnswer(message, signWith(online, message), signedDelegation);
    },
  };
}

test("a time after the delegation's end is refused, whoever signed it", async () => {
  const net = new DatagramWorld("expired");
  const endMillis = Math.floor(net.now() * 1000) - 1;
  const bad = makeBadBridge(net, { notBeforeMillis: endMillis - dayMillis, notAfterMillis: endMillis });
  const { ask } = arrange("expired", () => (request, reply) => reply(bad.answer(request)), {
    pins: [bad.pin],
  });

  assert.deepEqual(await ask(), { kind: "refused", because: "time_outside_delegation" });
});

test("an answer so slow that it says too little is refused, one just fast enough is taken", async () => {
  const slowBy =
    (millis: number) =>
    (_: DatagramWorld, bridge: (request: Uint8Array) => Uint8Array): Serve =>
    (request, reply) =>
      reply(bridge(request), millis);
  const limitSeconds = 1.5;
  const atLimit = 1_000 - 2 * oneWayMillis;

  const fast = await arrange("fast enough", slowBy(atLimit), { limitSeconds }).ask();
  const slow = await arrange("too slow", slowBy(atLimit + 1), { limitSeconds }).ask();
  const late = await arrange("too late", slowBy(signedTimeWaitMillis)).ask();

  assert.equal(fast.kind, "verified");
  assert.deepEqual(slow, { kind: "refused", because: "time_too_uncertain" });
  assert.deepEqual(late, { kind: "none", because: "silence" });
});

test("forgeries that carry our nonce cost four verifications in all, however many come", async () => {
  const stranger = makeRoot();
  const { ask, verifications } = arrange("costly forgeries", (net) => {
    const forge = bridgeIn(net, stranger.pem);
    return (request, reply) => {
      for (let copy = 0; copy < 20; copy++) reply(forge(request), copy);
    };
  });

  const outcome = await ask();

  assert.deepEqual(outcome, { kind: "refused", because: "time_delegation_signature_invalid" });
  assert.equal(verifications(), verificationsMax);
});

test("a verifier that fails is told as that, and asked no more than four times", async () => {
  let asked = 0;
  const broken = {
    verifyDigest: () => {
      asked += 1;
      return Promise.reject(new Error("no bus"));
    },
  };
  const { ask } = arrange(
    "broken chip",
    (_, bridge) => (request, reply) => {
      for (let copy = 0; copy < 5; copy++) reply(bridge(request), copy);
    },
    { verifier: broken },
  );

  assert.deepEqual(await ask(), { kind: "none", because: "verifier_failed" });
  assert.equal(asked, verificationsMax);
});

test("a pin that is no point of the curve is told as a verifier that fails, never as a refusal", async () => {
  const { ask } = arrange("no point", honest, { pins: [new Uint8Array(64).fill(7)] });

  assert.deepEqual(await ask(), { kind: "none", because: "verifier_failed" });
});

test("a chip that is still verifying when the wait is over is waited for", async () => {
  const chip = {
    verifyMessage: async (...args: Parameters<typeof nodeTimeVerifier.verifyMessage>) => {
      await new Promise<void>((resolve) => slowly(resolve));
      return nodeTimeVerifier.verifyMessage(...args);
    },
  };
  let slowly: (run: () => void) => void = () => assert.fail("not before it is set");
  const arranged = arrange("slow chip", (_, bridge) => (request, reply) => reply(bridge(request), 1_900), {
    verifier: chip,
  });
  slowly = (run) => void arranged.net.world.timers.after(300, run);

  const outcome = await arranged.ask();

  assert.equal(outcome.kind, "verified");
  assert.equal(arranged.net.sent.length, 1, "nothing is asked while an answer is looked at");
});

test("stopped, also in the middle of a verification, it tells nothing and leaves no socket", async () => {
  let isStopping = false;
  const arranged = arrange("stopped", honest, {
    verifier: {
      verifyMessage: (...args) => {
        if (isStopping) arranged.client.stop();
        return nodeTimeVerifier.verifyMessage(...args);
      },
    },
  });
  const outcomes: SignedTimeOutcome[] = [];
  isStopping = true;

  arranged.client.ask((outcome) => outcomes.push(outcome));
  await arranged.net.world.run(20_000);
  isStopping = false;

  assert.deepEqual([outcomes, arranged.net.socketsOpen], [[], 0]);
  assert.equal((await arranged.ask()).kind, "verified");
});

test("a second question while one is under way is a bug of the caller, said at once", () => {
  const { client } = arrange("twice asked", honest);
  client.ask(() => {});

  assert.throws(() => client.ask(() => {}), /one question at a time/);
});

test("no pin, a third, a short one, port 0 and a limit of 31 s are refused", () => {
  const { net, root } = arrange("options", honest);
  const ports = { ...net.ports, sha256: nodeSha256, verifier: nodeTimeVerifier };
  const { pin } = root;
  const options: readonly SignedTimeOptions[] = [
    { server, pins: [] },
    { server, pins: [pin, pin, pin] },
    { server, pins: [pin.subarray(1)] },
    { server: { host: "bridge", port: 0 }, pins: [pin] },
    { server, pins: [pin], limitSeconds: 31 },
    { server, pins: [pin], limitSeconds: 0.9 },
    { server, pins: [pin], limitSeconds: Number.NaN },
  ];

  for (const wrong of options) {
    assert.throws(() => new SignedTimeClient(ports, wrong), AgentOptionError);
  }
});

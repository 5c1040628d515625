/**
 * How near to the bare curve is the verification of a whole token?
 *
 * In one run, interleaved: `openssl speed` (the limit of this machine), `node:crypto` alone, our whole
 * verification, and `jose`. Distinct tokens of 200 keys, so that no cache helps. Operations per CPU-second
 * of all threads; medians of the rounds. Trust ratios only, the machine is shared.
 *
 * Run: `node packages/core/bench/token.bench.ts`
 */
import { execFileSync } from "node:child_process";
import { jwtVerify } from "jose";
import { encodeTokenSigningInput, joinToken, tokenClaimsFor } from "../src/token/mint.ts";
import { policyPresets } from "../src/token/policy.ts";
import { type VerificationContext, verifyDeviceToken } from "../src/token/verify.ts";
import { makeEcKey, NodeVerifier, signEs256, type TestKey } from "../test/node-verifier.ts";

const rounds = 5;
const keyCount = 200;
const tokensPerRound = 4000;
const sliceLength = 200;
const now = 1_700_000_000;

interface Sample {
  readonly token: string;
  readonly key: TestKey;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
  readonly context: VerificationContext;
}

function makeSamples(keys: readonly TestKey[], count: number, serial: number): readonly Sample[] {
  return Array.from({ length: count }, (_, i) => {
    const key = keys[i % keys.length] ?? makeEcKey("none");
    const devicePath = `projects/mayfly/locations/lab/registries/bench/devices/sensor-${i % keys.length}`;
    const claims = tokenClaimsFor({
      projectId: "mayfly",
      devicePath,
      issuedAt: now - ((serial * count + i) % 3000),
      lifetimeSeconds: 3600 + serial,
      uncertaintySeconds: 0.3,
    });
    const signingInput = encodeTokenSigningInput({ alg: "ES256", typ: "JWT", kid: key.keyId }, claims);
    const signature = signEs256(key, signingInput);
    return {
      // As it comes off a socket: one run of characters, not the rope that joining leaves behind.
      token: Buffer.from(joinToken(signingInput, signature)).toString("latin1"),
      key,
      signingInput,
      signature,
      context: {
        policy: policyPresets.strict,
        now,
        audience: "mayfly",
        devicePaths: [devicePath],
        ownAgent: true,
        device: {
          blocked: false,
          keys: [{ keyId: key.keyId, alg: "ES256", state: "active", handle: key.publicKey }],
        },
        verifyWhenTimeFails: true,
      },
    };
  });
}

/** @returns CPU microseconds of all threads. */
async function cost(samples: readonly Sample[], run: (sample: Sample) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (const sample of samples) {
    const answer = run(sample);
    if (answer instanceof Promise) await answer;
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function opensslRate(): number {
  const out = execFileSync("openssl", ["speed", "-seconds", "1", "ecdsap256"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const columns = out.trim().split("\n").at(-1)?.trim().split(/\s+/) ?? [];
  return Number(columns.at(-1));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const verifier = new NodeVerifier();
/** Everything but the curve: what core itself costs. */
const noCurve = { verify: () => true, verifyDummy: () => {} };

const ways: Readonly<Record<string, (sample: Sample) => unknown>> = {
  "node:crypto alone": ({ key, signingInput, signature }) =>
    verifier.verify("ES256", key.publicKey, signingInput, signature),
  "mayfly, whole token": ({ token, context }) => verifyDeviceToken(token, context, verifier),
  "mayfly, without the curve": ({ token, context }) => verifyDeviceToken(token, context, noCurve),
  "jose jwtVerify": ({ token, key }) =>
    jwtVerify(token, key.publicKey, { audience: "mayfly", typ: "JWT", currentDate: new Date(now * 1000) }),
};

/** One round: a slice of the tokens for each way in turn, so that a busy moment of the machine hits all. */
async function runRound(samples: readonly Sample[]): Promise<Map<string, number>> {
  const micros = new Map<string, number>();
  for (let start = 0; start < samples.length; start += sliceLength) {
    const slice = samples.slice(start, start + sliceLength);
    for (const [name, run] of Object.entries(ways)) {
      micros.set(name, (micros.get(name) ?? 0) + (await cost(slice, run)));
    }
  }
  return new Map([...micros].map(([name, sum]) => [name, samples.length / (sum / 1e6)]));
}

async function main(): Promise<void> {
  const keys = Array.from({ length: keyCount }, (_, i) => makeEcKey(`key-${i}`));
  // All made beforehand: their making would leave its garbage to the measured part. The first is to warm up.
  const sets = Array.from({ length: rounds + 1 }, (_, round) => makeSamples(keys, tokensPerRound, round));
  const rates = new Map<string, number[]>();
  for (const [round, samples] of sets.entries()) {
    const inRound = new Map([["openssl", opensslRate()], ...(await runRound(samples))]);
    if (round === 0) continue;
    for (const [name, value] of inRound) rates.set(name, [...(rates.get(name) ?? []), value]);
  }
  report(rates);
}

/** Ratios are taken within a round, then their median. */
function report(rates: ReadonlyMap<string, readonly number[]>): void {
  const ratio = (name: string) =>
    median(
      (rates.get(name) ?? []).map((value, round) => value / (rates.get("openssl")?.[round] ?? Number.NaN)),
    );
  const micros = (name: string) => 1e6 / median(rates.get(name) ?? []);
  const whole = ratio("mayfly, whole token");
  const own = micros("mayfly, without the curve");
  const goals = [
    { goal: "whole token at least 0.80 × openssl speed", got: whole.toFixed(2), isMet: whole >= 0.8 },
    { goal: "all but the curve at most 10 µs", got: `${own.toFixed(1)} µs`, isMet: own <= 10 },
  ];
  goals.sort((a, b) => Number(a.isMet) - Number(b.isMet));
  for (const { goal, got, isMet } of goals) console.log(`${isMet ? "met   " : "MISSED"} ${goal}: ${got}`);
  console.log(
    `\n${"medians of 5 rounds".padEnd(28)} ${"per CPU-second".padStart(14)} ${"µs".padStart(8)}  ratio`,
  );
  for (const [name, values] of rates) {
    const rate = median(values).toFixed(0).padStart(14);
    console.log(
      `${name.padEnd(28)} ${rate} ${micros(name).toFixed(1).padStart(8)}  ${ratio(name).toFixed(2)}`,
    );
  }
}

await main();

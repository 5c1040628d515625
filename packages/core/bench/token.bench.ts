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

/** @returns Operations per CPU-second. */
async function rate(samples: readonly Sample[], run: (sample: Sample) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (const sample of samples) {
    const answer = run(sample);
    if (answer instanceof Promise) await answer;
  }
  const { user, system } = process.cpuUsage(before);
  return samples.length / ((user + system) / 1e6);
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

async function main(): Promise<void> {
  const keys = Array.from({ length: keyCount }, (_, i) => makeEcKey(`key-${i}`));
  const rates: Record<string, number[]> = { openssl: [] };
  const warm = makeSamples(keys, 1000, 0);
  for (const run of Object.values(ways)) await rate(warm, run);
  for (let round = 1; round <= rounds; round++) {
    const samples = makeSamples(keys, tokensPerRound, round);
    rates["openssl"]?.push(opensslRate());
    for (const [name, run] of Object.entries(ways)) {
      rates[name] ??= [];
      rates[name].push(await rate(samples, run));
    }
  }
  report(Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)])));
}

function report(medians: Readonly<Record<string, number>>): void {
  const limit = medians["openssl"] ?? Number.NaN;
  const whole = medians["mayfly, whole token"] ?? Number.NaN;
  const bare = medians["node:crypto alone"] ?? Number.NaN;
  const goals = [
    { goal: "whole token ≥ 0.80 × openssl speed", got: whole / limit, least: 0.8 },
    { goal: "whole token ≥ 2 × jose", got: whole / (medians["jose jwtVerify"] ?? Number.NaN), least: 2 },
    {
      goal: "whole token ≤ 10 µs over the curve in node:crypto",
      got: 10 / ((1 / whole - 1 / bare) * 1e6),
      least: 1,
    },
  ];
  goals.sort((a, b) => Number(a.got >= a.least) - Number(b.got >= b.least));
  for (const { goal, got, least } of goals) {
    console.log(`${got >= least ? "met   " : "MISSED"} ${goal}: ${got.toFixed(2)} (least ${least})`);
  }
  console.log(
    `\n${"operations per CPU-second".padEnd(32)} ${"median".padStart(9)} ${"µs".padStart(8)} ratio`,
  );
  for (const [name, value] of Object.entries(medians)) {
    const micros = (1e6 / value).toFixed(1).padStart(8);
    console.log(
      `${name.padEnd(32)} ${value.toFixed(0).padStart(9)} ${micros} ${(value / limit).toFixed(2).padStart(5)}`,
    );
  }
}

await main();

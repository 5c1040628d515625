/**
 * The renewal against the bridge that is hardest to please: its clock is right, its grace is 0.
 *
 * The device's clock is wrong by as much as it admits, to either side, and drifts by as much as it admits, to either
 * side. Tokens are made by the real keeper and judged by the real verifier's rule: now < `exp`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lifetimeSecondsMax, lifetimeSecondsMin } from "../options.ts";
import type { DeviceTime } from "../ports.ts";
import { RenewalPlan } from "./renewal-plan.ts";
import { createTokenKeeper, type MintAnswer } from "./token-keeper.ts";

const mintedMillis = 40_000;
const ownNow = 1_700_000_000.6;

interface DeviceClock {
  readonly uncertaintySeconds: number;
  readonly driftPpm: number;
  /** How wrong it is of that, -1 to 1: below 0 it is behind. */
  readonly error: number;
  readonly drift: number;
}

/** A clock that has told the truth about how wrong it may be. */
function timeOf({ uncertaintySeconds, driftPpm }: DeviceClock): DeviceTime {
  return {
    readiness: () => ({ kind: "ready", now: ownNow, uncertaintySeconds }),
    uncertaintySecondsAt: (millis) => uncertaintySeconds + ((millis - mintedMillis) / 1000) * driftPpm * 1e-6,
    correct: () => undefined,
  };
}

function trueSecondsAt(clock: DeviceClock, millis: number): number {
  const since = (millis - mintedMillis) / 1000;
  return ownNow - clock.error * clock.uncertaintySeconds + since * (1 - clock.drift * clock.driftPpm * 1e-6);
}

function mint(clock: DeviceClock, lifetimeSeconds: number): Promise<MintAnswer> {
  const keeper = createTokenKeeper(
    {
      clock: { monotonicMillis: () => mintedMillis },
      timers: {
        after: (delayMillis, run) => {
          if (delayMillis === 0) queueMicrotask(run);
          return () => undefined;
        },
      },
      sha256: { digest: () => new Uint8Array(32) },
      time: timeOf(clock),
    },
    { signer: { keyId: "k", signDigest: async () => new Uint8Array(64).fill(1) } },
    { project: "p", devicePath: "projects/p/locations/l/registries/r/devices/d", lifetimeSeconds },
  );
  return new Promise((resolve) => keeper.mint(resolve));
}

const extremes = fc.constantFrom(-1, 1);
const clocks: fc.Arbitrary<DeviceClock> = fc.record({
  uncertaintySeconds: fc.oneof(
    fc.constant(0),
    fc.double({ min: 0, max: 90, noNaN: true }),
    fc.double({ min: 0, max: 40_000, noNaN: true }),
  ),
  driftPpm: fc.double({ min: 0, max: 500, noNaN: true }),
  error: extremes,
  drift: extremes,
});
const lifetimes = fc.oneof(
  fc.integer({ min: lifetimeSecondsMin, max: 120 }),
  fc.integer({ min: lifetimeSecondsMin, max: lifetimeSecondsMax }),
);
/** Of what the bridge may say: nothing, or a window anywhere, in its time. */
const windows = fc.option(
  fc.record({
    fromSeconds: fc.integer({ min: -200_000, max: 200_000 }),
    widthSeconds: fc.integer({ min: 0, max: 100_000 }),
  }),
  { nil: undefined },
);

test("for every lifetime, uncertainty, drift, lot and window the renewal is due a twelfth of the lifetime before the bridge could refuse the token", async () => {
  let minted = 0;
  let waited = 0;

  await fc.assert(
    fc.asyncProperty(
      lifetimes,
      clocks,
      windows,
      fc.integer({ min: 0, max: 0xff }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.option(fc.integer({ min: 1, max: lifetimeSecondsMax }), { nil: undefined }),
      async (lifetimeSeconds, clock, window, lot, acceptedShare, firstRenewalAfterSeconds) => {
        const answer = await mint(clock, lifetimeSeconds);
        if (answer.kind !== "minted") {
          waited += 1;
          // Said in words, and only where the clock is too uncertain for such tokens.
          assert.ok(answer.kind === "waiting_for_clock" && answer.because.includes("may be off"));
          assert.ok(clock.uncertaintySeconds * 5 > lifetimeSeconds, `${JSON.stringify(clock)}`);
          return;
        }
        minted += 1;
        const { token } = answer;
        const plan = new RenewalPlan(
          { firstRenewalAfterSeconds, pauseMillis: 5_500 },
          { fill: (bytes) => bytes.fill(lot) },
        );
        plan.minted(token);
        const beforeAcceptance = plan.dueMillis;
        const acceptedMillis = mintedMillis + acceptedShare * (beforeAcceptance - mintedMillis);
        const serverTime = trueSecondsAt(clock, acceptedMillis);
        const renewFrom = serverTime + (window?.fromSeconds ?? 0);
        plan.accepted(
          token,
          window === undefined
            ? {}
            : { serverTime, renewFrom, renewUntil: renewFrom + window.widthSeconds, exp: token.exp },
          acceptedMillis,
        );

        for (const due of [beforeAcceptance, plan.dueMillis]) {
          const allowed = due + (lifetimeSeconds * 1000) / 12;
          const left = token.exp - trueSecondsAt(clock, allowed);
          assert.ok(left >= -1e-5, `refused ${-left} s before it is in use`);
          assert.ok(due >= acceptedMillis, "no renewal is due before its token is in use");
        }
      },
    ),
    { numRuns: 2_000 },
  );

  assert.ok(minted > 500 && waited > 30, `${minted} minted, ${waited} waited`);
});

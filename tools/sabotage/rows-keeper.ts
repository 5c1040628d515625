/**
 * How to break what a device promises of the time it believes.
 */
import type { Sabotage } from "./table.ts";

const believed = "packages/device/src/time/believed-time.ts";
const believedTest = "packages/device/src/time/believed-time.test.ts";
const rules = "packages/device/src/time/trust-rules.ts";
const rulesTest = "packages/device/src/time/trust-rules.test.ts";
const keeperTest = "packages/device/src/time/time-keeper.test.ts";
const rtcKeeper = "packages/device/src/time/rtc-keeper.ts";
const ledger = "packages/device/src/time/rtc-ledger.ts";
const ledgerTest = "packages/device/src/time/rtc-ledger.test.ts";

const honest = "The true time is within the uncertainty a device claims, whatever unsigned sources tell it.";
const day = "No unsigned source moves a device's clock more than a day over the last known time.";

export const keeperRows: readonly Sabotage[] = [
  {
    promise: honest,
    deed: "let the clock lean without owning up to it",
    file: believed,
    find: "uncertaintySeconds: estimate.boundSeconds + Math.abs(shift),",
    replace: "uncertaintySeconds: estimate.boundSeconds,",
    test: believedTest,
    name: "whatever honest sources tell in whatever order, and others lie",
  },
  {
    promise: honest,
    deed: "forget that a clock drifts",
    file: "packages/device/src/time/carried-sample.ts",
    find: "boundSeconds: sample.boundSeconds + Math.abs(elapsedSeconds) * ppmBound * 1e-6,",
    replace: "boundSeconds: sample.boundSeconds,",
    test: believedTest,
    name: "whatever honest sources tell in whatever order, and others lie",
  },
  {
    promise: day,
    deed: "believe a majority whatever day it tells",
    file: rules,
    find: `{ source: "ntp-agreed", trust: "any", positions: ["far"], decision: "ask-signed" },`,
    replace: `{ source: "ntp-agreed", trust: "any", positions: ["far"], decision: "adopt" },`,
    test: keeperTest,
    name: "servers that all lie a day ahead do not move a clock",
  },
  {
    promise: day,
    deed: "measure the day from wherever the clock was moved to",
    file: believed,
    find: "const isFar = sample.seconds > floorSeconds + forwardSecondsMax;",
    replace: "const isFar = sample.seconds > (estimate?.seconds ?? floorSeconds) + forwardSecondsMax;",
    test: believedTest,
    name: "in the 24 h after the floor a majority may move the clock forward once",
  },
  {
    promise: "What the bridge says unsigned moves a device's clock by at most its uncertainty.",
    deed: "take the bridge at its word",
    file: rules,
    find: `{ source: "hint", trust: "trusted", positions: ["within", "ahead", "behind"], decision: "lean" },`,
    replace: `{ source: "hint", trust: "trusted", positions: ["within", "ahead", "behind"], decision: "step" },`,
    test: rulesTest,
    name: "a hint moves a trusted clock by at most its uncertainty",
  },
  {
    promise: "A majority of servers does not overrule a signed time.",
    deed: "let it",
    file: rules,
    find: `    basis: "signed",\n    decision: "ask-signed",`,
    replace: `    basis: "signed",\n    decision: "adopt",`,
    test: keeperTest,
    name: "servers that all lie move no clock that rests on a signature",
  },
  {
    promise: "A clock chip that has stopped is not believed until a signature or a majority set it.",
    deed: "ignore OSF",
    file: rtcKeeper,
    find: "    if (reading.isOscillatorStopped) {",
    replace: "    if (reading.isOscillatorStopped && reference !== undefined) {",
    test: keeperTest,
    name: "a dead battery is waiting after power comes back",
  },
  {
    promise: "A clock chip that has stopped is not believed until a signature or a majority set it.",
    deed: "believe, and set it by, one server's word",
    file: rules,
    find: `{ source: "ntp-single", trust: "any", positions: "any", decision: "ask-signed" },`,
    replace: `{ source: "ntp-single", trust: "any", positions: "any", decision: "adopt" },`,
    test: keeperTest,
    name: "one server, and the bridge's unsigned word, neither end waiting",
  },
  {
    promise:
      "A clock chip that contradicts the monotonic clock stops the signing until a source says which is right.",
    deed: "go on with what was believed",
    file: rules,
    find: `positions: ["ahead", "behind", "far"], decision: "distrust" },`,
    replace: `positions: ["ahead", "behind", "far"], decision: "ignore" },`,
    test: keeperTest,
    name: "a chip that somebody else sets contradicts the monotonic clock",
  },
  {
    promise: "A device signs nothing with a clock that may be further off than the limit.",
    deed: "sign however uncertain",
    file: believed,
    find: "if (uncertaintySeconds > settings.limitSeconds)",
    replace: "if (uncertaintySeconds > settings.limitSeconds * 1e6)",
    test: keeperTest,
    name: "holdover at 5 ppm lasts 69 days",
  },
  {
    promise: "No token's iat is before that of the token before.",
    deed: "let now go back",
    file: believed,
    find: `if (iatOf(shown) >= belief.iatSeconds) return`,
    replace: `if (iatOf(shown) >= 0) return`,
    test: believedTest,
    name: "where an iat would fall below the last, now is held",
  },
  {
    promise: "A power cut while the clock chip is set leaves a record that is true of it.",
    deed: "write before setting what will be true only after",
    file: ledger,
    find: "const boundSeconds = Math.abs(ahead) + good.boundSeconds + (shown?.boundSeconds ?? 0) + 0.1;",
    replace: "const boundSeconds = good.boundSeconds + (shown?.boundSeconds ?? 0) + 0.1;",
    test: ledgerTest,
    name: "the record before a set is true of the chip as it was and as it will be",
  },
  {
    promise: "The flash of a device is written at most hourly for its clock, restarts included.",
    deed: "write at every start",
    file: "packages/device/src/time/kept-clock.ts",
    find: "Math.min(Math.max(storeEveryMillis - sinceMillis, 0), storeEveryMillis);",
    replace: "0 * sinceMillis;",
    test: keeperTest,
    name: "the store is written at most once an hour",
  },
  {
    promise: "What is kept of the time is believed only if it is whole.",
    deed: "do not look at the sum",
    file: "packages/device/src/time/clock-value.ts",
    find: "if (view.getUint32(sumAt) !== fnv1a(bytes, sumAt)) return undefined;",
    replace: "",
    test: "packages/device/src/time/clock-value.test.ts",
    name: "every truncation and every flipped bit reads as nothing",
  },
  {
    promise: "A correction of the clock is answered within half a minute.",
    deed: "wait for every source",
    file: "packages/device/src/time/correction.ts",
    find: "this.#cancel = this.#timers.after(correctionMillisMax, () => this.end());",
    replace: "",
    test: keeperTest,
    name: "a correction does not wait for a source that never comes back",
  },
];

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  type BeliefSettings,
  type BelievedTime,
  readinessAt,
  shownAt,
  unbelieved,
  weigh,
} from "./believed-time.ts";
import {
  type Basis,
  type Decision,
  findTrustRule,
  type Position,
  type SourceKind,
  type Trust,
  trustRules,
} from "./trust-rules.ts";

const build = 1_767_225_600;
const settings: BeliefSettings = { buildFloorSeconds: build, limitSeconds: 30, monotonicPpm: 100 };
const floor = build + 100 * 86_400;
const calm = { nowMillis: 0, mayStep: false };

const untrusted = unbelieved(settings, 0, floor);
const trusted = (basis: Basis, boundSeconds = 2): BelievedTime =>
  weigh(
    untrusted,
    {
      source: basis === "signed" ? "signed" : "ntp-agreed",
      sample: { atMillis: 0, seconds: floor + 3_600, boundSeconds },
    },
    calm,
    settings,
  ).belief;

/** What a source tells, `seconds` off the floor plus an hour, where the trusted clock stands. */
const weighed = (before: BelievedTime, source: SourceKind, seconds: number, boundSeconds = 0.1) =>
  weigh(
    before,
    { source, sample: { atMillis: 0, seconds: floor + 3_600 + seconds, boundSeconds } },
    calm,
    settings,
  );
const shownAfter = (belief: BelievedTime) => {
  const shown = shownAt(belief, 0, settings);
  return shown === undefined ? undefined : shown.now - floor - 3_600;
};

test("every situation has a rule, and every rule a situation", () => {
  const sources: readonly SourceKind[] = ["rtc", "ntp-agreed", "ntp-single", "signed", "hint"];
  const trusts: readonly Trust[] = ["untrusted", "holdover", "synced"];
  const positions: readonly Position[] = ["before-build", "within", "ahead", "behind", "far"];
  const used = new Set<unknown>();

  for (const source of sources) {
    for (const trust of trusts) {
      for (const position of positions) {
        // An untrusted clock has nothing that a time could be ahead of, short of a day over the floor.
        if (trust === "untrusted" && position === "ahead") continue;
        for (const basis of ["signed", "majority"] as const) {
          used.add(
            findTrustRule({ source, trust, position, basis: trust === "untrusted" ? undefined : basis }),
          );
        }
      }
    }
  }

  assert.equal(used.size, trustRules.length);
});

test("no time before the build is believed, not even a signed one", () => {
  for (const source of ["rtc", "ntp-agreed", "ntp-single", "signed", "hint"] as const) {
    const { belief, decision } = weighed(untrusted, source, -101 * 86_400 - 3_600);

    assert.equal(decision, "ignore");
    assert.equal(belief.trust, "untrusted");
  }
});

const day = 86_400;
const rows: readonly {
  readonly name: string;
  readonly before: BelievedTime;
  readonly source: SourceKind;
  readonly at: number;
  readonly decision: Decision;
  readonly trust: Trust;
  /** Where the clock stands then; undefined: nowhere. */
  readonly shows: number | undefined;
}[] = [
  {
    name: "a signed time within what is known sharpens it",
    before: trusted("majority"),
    source: "signed",
    at: 1,
    decision: "sharpen",
    trust: "synced",
    shows: 0, // slewed, not stepped
  },
  {
    name: "a signed time ends waiting, a year over the floor",
    before: untrusted,
    source: "signed",
    at: 365 * day,
    decision: "adopt",
    trust: "synced",
    shows: 365 * day,
  },
  {
    name: "a signed time moves a trusted clock a year forward",
    before: trusted("majority"),
    source: "signed",
    at: 365 * day,
    decision: "adopt",
    trust: "synced",
    shows: 365 * day,
  },
  {
    name: "a signed time moves a trusted clock a month back",
    before: trusted("signed"),
    source: "signed",
    at: -30 * day,
    decision: "adopt",
    trust: "synced",
    shows: -30 * day,
  },
  {
    name: "the chip's time makes a clock trusted in holdover",
    before: untrusted,
    source: "rtc",
    at: 0,
    decision: "adopt",
    trust: "holdover",
    shows: 0,
  },
  {
    name: "the chip's time counts though the device was off for weeks",
    before: untrusted,
    source: "rtc",
    at: 30 * day,
    decision: "adopt",
    trust: "holdover",
    shows: 30 * day,
  },
  {
    name: "a chip that shows a time behind the floor is not believed",
    before: untrusted,
    source: "rtc",
    at: -day,
    decision: "ignore",
    trust: "untrusted",
    shows: undefined,
  },
  {
    name: "a chip that agrees with what is known leaves it trusted",
    before: trusted("majority"),
    source: "rtc",
    at: 1,
    decision: "sharpen",
    trust: "synced",
    shows: 0,
  },
  {
    name: "a chip that contradicts the monotonic clock ends trust",
    before: trusted("signed"),
    source: "rtc",
    at: 10,
    decision: "distrust",
    trust: "untrusted",
    shows: undefined,
  },
  {
    name: "a majority does not end waiting more than a day over the floor",
    before: untrusted,
    source: "ntp-agreed",
    at: day,
    decision: "ask-signed",
    trust: "untrusted",
    shows: undefined,
  },
  {
    name: "a majority moves no trusted clock more than a day over the floor",
    before: trusted("majority"),
    source: "ntp-agreed",
    at: day,
    decision: "ask-signed",
    trust: "synced",
    shows: 0,
  },
  {
    name: "a majority within a day over the floor ends waiting",
    before: untrusted,
    source: "ntp-agreed",
    at: 22 * 3_600,
    decision: "adopt",
    trust: "synced",
    shows: 22 * 3_600,
  },
  {
    name: "a majority behind the floor ends waiting",
    before: untrusted,
    source: "ntp-agreed",
    at: -day,
    decision: "adopt",
    trust: "synced",
    shows: -day,
  },
  {
    name: "a majority within what is known sharpens it",
    before: trusted("signed"),
    source: "ntp-agreed",
    at: -1,
    decision: "sharpen",
    trust: "synced",
    shows: 0,
  },
  {
    name: "a majority does not move a clock that rests on a signature beyond its bound",
    before: trusted("signed"),
    source: "ntp-agreed",
    at: -day,
    decision: "ask-signed",
    trust: "synced",
    shows: 0,
  },
  {
    name: "a majority moves a clock that rests on a majority, within a day over the floor",
    before: trusted("majority"),
    source: "ntp-agreed",
    at: 22 * 3_600,
    decision: "adopt",
    trust: "synced",
    shows: 22 * 3_600,
  },
  {
    name: "one server moves a trusted clock by its word",
    before: trusted("majority"),
    source: "ntp-single",
    at: -20,
    decision: "step",
    trust: "synced",
    shows: -20,
  },
  {
    name: "one server does not move a trusted clock by more than the limit leaves room for",
    before: trusted("majority"),
    source: "ntp-single",
    at: 59,
    decision: "step",
    trust: "synced",
    shows: 0,
  },
  {
    name: "one server does not end waiting",
    before: untrusted,
    source: "ntp-single",
    at: 0,
    decision: "ask-signed",
    trust: "untrusted",
    shows: undefined,
  },
  {
    name: "a hint moves a trusted clock by at most its uncertainty",
    before: trusted("signed"),
    source: "hint",
    at: 300,
    decision: "lean",
    trust: "synced",
    shows: 2,
  },
  {
    name: "a hint more than a day over the floor moves nothing",
    before: trusted("majority"),
    source: "hint",
    at: day,
    decision: "ask-signed",
    trust: "synced",
    shows: 0,
  },
  {
    name: "a hint does not end waiting",
    before: untrusted,
    source: "hint",
    at: 0,
    decision: "ask-signed",
    trust: "untrusted",
    shows: undefined,
  },
];

for (const { name, before, source, at, decision, trust, shows } of rows) {
  test(name, () => {
    const verdict = weighed(before, source, at);

    assert.equal(verdict.decision, decision);
    assert.equal(verdict.belief.trust, trust);
    const shown = shownAfter(verdict.belief);
    assert.equal(shown === undefined ? undefined : Math.round(shown * 1000) / 1000, shows);
  });
}

test("the rows above try every rule but the one of the build", () => {
  const tried = new Set(
    rows.map(({ before, source, at }) => {
      const { position } = weighed(before, source, at);
      return findTrustRule({ source, trust: before.trust, position, basis: before.basis });
    }),
  );

  assert.equal(tried.size, trustRules.length - 1);
});

test("a word that anybody could have forged never keeps a device from signing", () => {
  const before = trusted("majority", 20);

  for (const source of ["hint", "ntp-single"] as const) {
    for (const at of [-100, -40, -21, -9, 9, 21, 40, 100]) {
      const { belief } = weighed(before, source, at);

      assert.equal(readinessAt(belief, 0, settings).kind, "ready", `${source} ${at}`);
    }
  }
});

test("the reference shows the same table, row by row", () => {
  const page = readFileSync(new URL("../../../../docs/reference/clock.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("| source | clock | time told | decision |"));
  const shown = table.slice(0, table.indexOf("\n\n")).split("\n").slice(2);

  const rows = trustRules.map(({ source, trust, positions, basis, decision }) => {
    const clock = basis === "signed" ? `${trust}, by a signature` : trust;
    return `| ${source} | ${clock} | ${positions === "any" ? "any" : positions.join(", ")} | ${decision} |`;
  });

  assert.deepEqual(shown, rows);
});

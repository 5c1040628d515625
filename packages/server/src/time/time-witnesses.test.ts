import assert from "node:assert/strict";
import { test } from "node:test";
import { TimeWitnesses, witnessesMax, witnessesMin } from "./time-witnesses.ts";

/** Hears devices 0, 1, …, whose tokens were minted so many seconds before they arrived; monotonic time is 0. */
function hearAges(witnesses: TimeWitnesses, ages: readonly number[], nowSeconds = 1_000_000): void {
  for (const [index, age] of ages.entries()) {
    witnesses.hear({ deviceNumId: `${index}`, issuedAtSeconds: nowSeconds - age, uncertaintySeconds: 0 }, 0);
  }
}

test("too few devices prove nothing, and one more does", () => {
  const witnesses = new TimeWitnesses();

  hearAges(witnesses, new Array<number>(witnessesMin - 1).fill(0));
  const before = witnesses.offsetSeconds("all");
  witnesses.hear({ deviceNumId: "last", issuedAtSeconds: 1_000_000, uncertaintySeconds: 0 }, 0);

  assert.deepEqual([before, witnesses.offsetSeconds("all")], [undefined, 1_000_000]);
});

test("tokens used long after they were made do not make a right clock look wrong while one in four is fresh", () => {
  const witnesses = new TimeWitnesses();

  hearAges(witnesses, [3_000, 3_100, 1, 3_200, 0, 3_300, 3_400, 3_500]);

  assert.equal(witnesses.offsetSeconds("all"), 1_000_000 - 3_000);
  hearAges(witnesses, [3_001, 2, 1, 3_201, 0, 3_301, 3_401, 3_501]);
  assert.equal(witnesses.offsetSeconds("all"), 1_000_000 - 2);
});

test("fewer than one in four devices that run ahead do not move the fleet's word", () => {
  const witnesses = new TimeWitnesses();

  hearAges(witnesses, [-90_000, 1, 1, 1, 1]);

  assert.equal(witnesses.offsetSeconds("all"), 1_000_000 - 1);
});

test("a token backdated for its device's uncertainty counts from when it was made", () => {
  const witnesses = new TimeWitnesses();

  for (let device = 0; device < witnessesMin; device++) {
    witnesses.hear({ deviceNumId: `${device}`, issuedAtSeconds: 999_970, uncertaintySeconds: 30 }, 5_000);
  }

  assert.equal(witnesses.offsetSeconds("all"), 1_000_000 - 5);
});

test("a device has one voice, and the same token again says nothing", () => {
  const witnesses = new TimeWitnesses();
  hearAges(witnesses, [0, 0, 0, 0, 0]);

  hearAges(witnesses, [0, 0, 0, 0, 0]); // an hour's tokens, used again …
  for (let device = 0; device < 5; device++) {
    const again = { deviceNumId: `${device}`, issuedAtSeconds: 1_000_000, uncertaintySeconds: 0 };
    witnesses.hear(again, 1_800_000); // … half an hour later
  }

  assert.equal(witnesses.size, 5);
  assert.equal(witnesses.offsetSeconds("all"), 1_000_000);
});

test("only the newest devices are remembered, up to the maximum", () => {
  const witnesses = new TimeWitnesses();

  hearAges(witnesses, [...new Array<number>(40).fill(0), ...new Array<number>(witnessesMax).fill(500)]);

  assert.equal(witnesses.size, witnessesMax);
  assert.equal(witnesses.offsetSeconds("all"), 1_000_000 - 500);
});

test("after a new era began, the fresh are those heard since", () => {
  const witnesses = new TimeWitnesses();
  hearAges(witnesses, [0, 0, 0, 0, 0]);

  witnesses.beginEra();
  const before = witnesses.offsetSeconds("fresh");
  hearAges(witnesses, [10, 10, 10, 10, 10]);

  assert.deepEqual([before, witnesses.offsetSeconds("fresh")], [undefined, 1_000_000 - 10]);
});

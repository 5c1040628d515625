/** Timestamps of NTP against published instants, and eras. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ntpTimestamp } from "../../../test/ntp-answers.ts";
import { isZeroTimestamp, readNtpShort, readNtpTimestamp } from "./ntp-timestamp.ts";

function viewOf(hex: string): DataView {
  const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
  return new DataView(bytes.buffer);
}

const build = 1_767_225_600;

// Figure 4 of RFC 5905: the 32 bits of seconds at dates of history and of the future.
const published: readonly [string, number, number, number][] = [
  ["1970-01-01", 2_208_988_800, build, Date.UTC(1970, 0, 1)],
  ["1972-01-01, the first day of UTC", 2_272_060_800, build, Date.UTC(1972, 0, 1)],
  ["1999-12-31, the last day of the 20th century", 3_155_587_200, build, Date.UTC(1999, 11, 31)],
  ["2036-02-08, the first full day of era 1", 63_104, build, Date.UTC(2036, 1, 8)],
];
for (const [what, seconds, near, unixMillis] of published) {
  test(`the seconds of RFC 5905's figure 4 for ${what} are read as that day`, () => {
    const packet = viewOf(`${seconds.toString(16).padStart(8, "0")}00000000`);

    assert.equal(readNtpTimestamp(packet, 0, near) * 1000, unixMillis);
  });
}

test("the last instant of era 0 and the first of era 1 follow each other", () => {
  const last = readNtpTimestamp(viewOf("ffffffffffffffff"), 0, build);
  const first = readNtpTimestamp(viewOf("0000000000000000"), 0, build);

  assert.equal(first * 1000, Date.UTC(2036, 1, 7, 6, 28, 16));
  assert.ok(first - last >= 0 && first - last < 1e-6);
});

test("the same bits mean another era near another date", () => {
  const packet = viewOf("ec00000000000000");

  const readings = [build, build + 2 ** 32, build - 2 ** 32].map((near) => readNtpTimestamp(packet, 0, near));

  const [now = 0, later = 0, earlier = 0] = readings;
  assert.deepEqual([later - now, now - earlier], [2 ** 32, 2 ** 32]);
});

test("any instant within 68 years of the date is read back, to a microsecond", () => {
  const within68Years = 2 ** 31 - 1;
  fc.assert(
    fc.property(
      fc.double({ min: build - within68Years, max: build + within68Years, noNaN: true }),
      (instant) => {
        const bytes = Uint8Array.from(ntpTimestamp(instant));

        const read = readNtpTimestamp(new DataView(bytes.buffer), 0, build);

        assert.ok(Math.abs(read - instant) < 1e-6, `${instant} was read as ${read}`);
      },
    ),
  );
});

test("a fraction of half a second, and the short format, are read in seconds", () => {
  assert.equal(readNtpTimestamp(viewOf("83aa7e8080000000"), 0, build), 0.5);
  assert.equal(readNtpShort(viewOf("0001800000000000"), 0), 1.5);
  assert.equal(readNtpShort(viewOf("ffffffff00000000"), 0), 65_535 + 65_535 / 65_536);
});

test("only eight zero bytes are the zero timestamp", () => {
  assert.ok(isZeroTimestamp(viewOf("0000000000000000"), 0));
  assert.ok(!isZeroTimestamp(viewOf("0000000000000001"), 0));
  assert.ok(!isZeroTimestamp(viewOf("8000000000000000"), 0));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decimal,
  durationSeconds,
  instantSeconds,
  oneOf,
  repeated,
  repeatedListenAddress,
  seconds,
  wholeNumber,
} from "./flags.ts";

test("durations are read in seconds, minutes, hours and days, and are never 0", () => {
  assert.deepEqual(["90", "90s", "15m", "1h", "7d"].map(durationSeconds), [90, 90, 900, 3_600, 604_800]);
  for (const text of ["0", "", "h", "1.5h", "-1s", "1w", "1 h", "9999999999"]) {
    assert.throws(() => durationSeconds(text), { code: "commander.invalidArgument" }, text);
  }
});

test("numbers outside their range, and what is no number, are refused", () => {
  assert.equal(wholeNumber(1, 9)("9"), 9);
  assert.equal(seconds(0.01, 9)("0.5"), 0.5);
  for (const text of ["0", "10", "1.5", "1e3", "0x1", "", " 1"]) {
    assert.throws(() => wholeNumber(1, 9)(text), { code: "commander.invalidArgument" }, text);
  }
  for (const text of ["0", "9.1", "1e1", "NaN", ""]) {
    assert.throws(() => seconds(0.01, 9)(text), { code: "commander.invalidArgument" }, text);
  }
});

test("a number may have a sign where its range does, and no more digits than make sense", () => {
  assert.deepEqual(["-8", "0.25", "200"].map(decimal(-200, 200)), [-8, 0.25, 200]);
  for (const text of ["-200.1", "201", "+1", "1e1", "--1", "."]) {
    assert.throws(() => decimal(-200, 200)(text), { code: "commander.invalidArgument" }, text);
  }
});

test("an instant is read in UTC, and one that no calendar has is refused", () => {
  assert.equal(instantSeconds("2027-01-15T08:00:00Z"), 1_800_000_000);
  assert.equal(instantSeconds("2024-02-29T23:59:59.5Z"), 1_709_251_199.5);
  for (const text of [
    "2023-02-29T00:00:00Z",
    "2027-01-15",
    "2027-01-15T08:00:00",
    "2027-01-15T25:00:00Z",
    "now",
  ]) {
    assert.throws(() => instantSeconds(text), { code: "commander.invalidArgument" }, text);
  }
});

test("a word out of a list is taken, another refused with the list", () => {
  assert.equal(oneOf(["strict", "iot-core"])("strict"), "strict");
  assert.throws(() => oneOf(["strict", "iot-core"])("Strict"), /strict, iot-core/);
});

test("an address to listen on is a port, or a port behind a host; IPv6 stands in brackets; eight are taken", () => {
  const texts = ["443", "192.0.2.1:443", "iot.example.com:0", "[::]:65535"];

  const found = texts.reduce<ReturnType<typeof repeatedListenAddress>>(
    (earlier, text) => repeatedListenAddress(text, earlier),
    [],
  );

  assert.deepEqual(found, [
    { port: 443 },
    { host: "192.0.2.1", port: 443 },
    { host: "iot.example.com", port: 0 },
    { host: "::", port: 65_535 },
  ]);
  for (const text of ["", "host", ":443", "::443", "host:65536", "host:", "[::]", "a b:1", "[host]:1"])
    assert.throws(() => repeatedListenAddress(text), { code: "commander.invalidArgument" }, text);
  assert.throws(() => repeatedListenAddress("1", [...found, ...found]), /8 times at most/);
});

test("a flag may be repeated 64 times", () => {
  const full = Array.from({ length: 64 }, (_, index) => String(index)).reduce<readonly string[]>(
    (earlier, text) => repeated(text, earlier),
    [],
  );

  assert.equal(full.length, 64);
  assert.throws(() => repeated("one more", full), /64 times at most/);
});

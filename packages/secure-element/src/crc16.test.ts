import assert from "node:assert/strict";
import { test } from "node:test";
import { crc16 } from "./crc16.ts";

/** atecc608.md §1.6: bytes, and the CRC as it is sent (low byte first). */
const table: readonly (readonly [string, string])[] = [
  ["00", "00 00"],
  ["01", "03 83"],
  ["31 32 33 34 35 36 37 38 39", "DD BC"],
  [Array.from({ length: 32 }, (_, index) => index.toString(16).padStart(2, "0")).join(" "), "C3 56"],
  ["07 30 00 00 00", "03 5D"],
  ["07 1B 00 00 00", "24 CD"],
  ["07 02 80 00 00", "09 AD"],
  ["07 41 A0 00 00", "7B 85"],
  ["04 11", "33 43"],
  ["04 00", "03 40"],
  ["04 01", "00 C3"],
  ["04 03", "83 42"],
  ["04 05", "C3 43"],
  ["04 07", "40 C2"],
  ["04 08", "60 C0"],
  ["04 0F", "23 42"],
  ["04 EE", "31 41"],
  ["04 FF", "01 42"],
];

for (const [bytes, sent] of table) {
  test(`the CRC of ${bytes.slice(0, 26)} leaves as ${sent}`, () => {
    const [low = 0, high = 0] = fromHex(sent);

    assert.equal(crc16(fromHex(bytes)), low | (high << 8));
  });
}

test("a CRC taken in two pieces equals the CRC of the whole", () => {
  const whole = fromHex("31 32 33 34 35 36 37 38 39");

  const first = crc16(whole, 0, 4);

  assert.equal(crc16(whole, 4, whole.length, first), 0xbcdd);
});

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.split(" "), (pair) => Number.parseInt(pair, 16));
}

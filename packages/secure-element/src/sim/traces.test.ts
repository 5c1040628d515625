import assert from "node:assert/strict";
import { createHmac, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";

import {
  ADDRESS,
  bytesOf,
  command,
  hexOf,
  RFC6979_K,
  RFC6979_KEY,
  TRACE_SERIAL,
  testChip,
  wake,
} from "../../test/sim-host.ts";
import { crc16 } from "../crc16.ts";
import type { ChipSim } from "./chip-sim.ts";

// The worked traces of the reference's §8: same slots, same serial number, the RFC 6979 key in all private slots.
const TRACE_CONFIGURATION = bytesOf(`
  C0 00 00 00 85 00 82 00 85 20 85 20 85 20 8F 8F 8F 0F AF 8F 0F 0F 8F 0F 0F 0F 0F 0F 0F 0F 8F 8F 8F 8F AF 8F
  FF FF FF FF 00 00 00 00 FF FF FF FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  00 00 00 00 FF FF 00 00 00 00 00 00
  33 00 13 00 33 00 33 00 33 00 1C 00 7C 00 3C 00 3C 00 1A 00 3C 00 10 00 3C 00 1C 00 1C 00 1C 00`);
const PUBLIC_KEY =
  "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6" +
  "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";

const traceConfiguration = (locks: string): Uint8Array => {
  const configuration = TRACE_CONFIGURATION.slice();
  configuration.set(bytesOf(locks), 68);
  return configuration;
};

function traceChip(locks: string, revision: "ATECC608A" | "ATECC608B" = "ATECC608B", k = RFC6979_K): ChipSim {
  const privateKeys = { 0: RFC6979_KEY, 1: RFC6979_KEY, 2: RFC6979_KEY, 3: RFC6979_KEY, 4: RFC6979_KEY };
  return testChip({
    k: () => k,
    parts: {
      revision,
      serial: TRACE_SERIAL,
      configuration: traceConfiguration(locks),
      privateKeys,
      slots: {},
    },
  });
}

/** Writes the bytes as they stand, waits long enough, reads `length` in one go, as Arduino does. */
function exchange(sim: ChipSim, written: string, length: number): string {
  assert.equal(sim.write(ADDRESS, bytesOf(written)), "ack");
  sim.advanceMicros(120_000);
  return hexOf(sim.read(ADDRESS, length));
}

const digestWrite =
  "03 27 16 43 00 00 AF 2B DB E1 AA 9B 6E C1 E2 AD E1 D6 94 F4 1F C7 1A 83 1D 02 68 E9 89 15 62 11 3D 8A 62 AD D1 BF 73 15";
const tempKeyWrite = `${digestWrite.replace("16 43", "16 03").slice(0, -5)}A0 97`;
const SIGNATURE_ANSWER =
  "43EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" +
  "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8775A";

test("a wake pulse is answered by 04 11 33 43 after 1.5 ms", () => {
  const sim = traceChip("00 00 00 00");

  sim.write(0x00, Uint8Array.of(0x01), 100_000);
  sim.advanceMicros(1_500);

  assert.equal(hexOf(sim.read(ADDRESS, 4)), "04113343");
});

for (const [revision, answer] of [
  ["ATECC608B", "07000060 0383BB"],
  ["ATECC608A", "07000060 028038"],
] as const) {
  test(`Info Revision of a ${revision} is the reference's`, () => {
    const sim = traceChip("00 00 00 00", revision);
    wake(sim);

    const read = exchange(sim, "03 07 30 00 00 00 03 5D", 7);

    assert.equal(read, answer.replaceAll(" ", ""));
  });
}

for (const [what, written, answer] of [
  [
    "the serial number in 32 bytes",
    "03 07 02 80 00 00 09 AD",
    "2301237A1B000060034D2E3C91EE010100C000000085008200852085208520 8F8F71C3",
  ],
  ["the serial number's word 0", "03 07 02 00 00 00 1E 2D", "0701237A1BB964"],
  ["the serial number's word 2", "03 07 02 00 02 00 18 AD", "074D2E3C919048"],
  ["the serial number's word 3", "03 07 02 00 03 00 11 2D", "07EE0101001D0B"],
  ["the public key of slot 0", "03 07 40 00 00 00 00 05", `43${PUBLIC_KEY}313B`],
  ["the public key of slot 2", "03 07 40 00 02 00 06 85", `43${PUBLIC_KEY}313B`],
  ["the public key of slot 3", "03 07 40 00 03 00 0F 05", `43${PUBLIC_KEY}313B`],
] as const) {
  test(`${what} reads as in the reference's trace`, () => {
    const sim = traceChip("00 00 00 00");
    wake(sim);

    const read = exchange(sim, written, answer.replaceAll(" ", "").length / 2);

    assert.equal(read, answer.replaceAll(" ", ""));
  });
}

test("Nonce into the Message Digest Buffer and Sign give RFC 6979's signature byte for byte", () => {
  const sim = traceChip("00 00 00 00");
  wake(sim);

  const nonce = exchange(sim, digestWrite, 4);
  const signature = exchange(sim, "03 07 41 A0 00 00 7B 85", 67);

  assert.deepEqual([nonce, signature], ["04000340", SIGNATURE_ANSWER]);
});

test("Nonce into TempKey and Sign from TempKey give the same signature", () => {
  const sim = traceChip("00 00 00 00");
  wake(sim);

  const nonce = exchange(sim, tempKeyWrite, 4);
  const signature = exchange(sim, "03 07 41 80 00 00 28 05", 67);

  assert.deepEqual([nonce, signature], ["04000340", SIGNATURE_ANSWER]);
});

test("Sign of slot 2 as in the reference's trace is acknowledged and signs", () => {
  const sim = traceChip("00 00 00 00");
  wake(sim);
  exchange(sim, digestWrite, 4);

  const signature = exchange(sim, "03 07 41 A0 02 00 7D 05", 67);

  assert.equal(signature, SIGNATURE_ANSWER);
});

test("the JWT vector's digest is signed into the JWT vector's signature", () => {
  const digest = bytesOf("a6db5f5b4790866ad416520e21478667be9667bb588c2ed3b6e9de13862afd19");
  const token = Buffer.from(
    "vpMzZxyLuwdGE6_lFP1GyiTjm7TrzYxgo23jWySm7KJUpsldvleoqK9AJG9GuFxL9jPqKGBtWE2OcTcme1_inA",
    "base64url",
  );
  const sim = traceChip("00 00 00 00", "ATECC608B", rfc6979K(digest));

  command(sim, 0x16, 0x43, 0, digest);
  const signature = command(sim, 0x41, 0xa0, 0);

  assert.equal(hexOf(signature), hexOf(token));
});

for (const [slot, written] of [
  [0, "03 07 40 04 00 00 83 87"],
  [2, "03 07 40 04 02 00 85 07"],
  [3, "03 07 40 04 03 00 8C 87"],
] as const) {
  test(`GenKey create in slot ${String(slot)} as in the reference's trace makes a key of the curve`, () => {
    const sim = traceChip("00 00 55 00");
    wake(sim);

    const answer = exchange(sim, written, 67);

    assert.notEqual(answer.slice(2, 130), PUBLIC_KEY);
    assert.doesNotThrow(() => publicKeyFrom(bytesOf(answer.slice(2, 130))));
  });
}

for (const [what, locks, written] of [
  ["the configuration", "00 00 55 55", "03 07 17 80 00 00 39 8D"],
  ["the data zone", "00 00 55 00", "03 07 17 81 00 00 3A 07"],
  ["slot 0", "00 00 00 00", "03 07 17 02 00 00 2D 88"],
  ["slot 2", "00 00 00 00", "03 07 17 0A 00 00 6E 09"],
  ["slot 3", "00 00 00 00", "03 07 17 0E 00 00 ED 8B"],
  ["slot 10", "00 00 00 00", "03 07 17 2A 00 00 3D 89"],
] as const) {
  test(`Lock of ${what} as in the reference's trace answers 00`, () => {
    const sim = traceChip(locks);
    wake(sim);

    assert.equal(exchange(sim, written, 4), "04000340");
  });
}

test("the lock words read as in the reference's traces are bytes 84 to 91", () => {
  const sim = traceChip("00 00 55 00");
  wake(sim);

  const locks = exchange(sim, "03 07 02 00 15 00 17 5D", 7);
  const slots = exchange(sim, "03 07 02 00 16 00 18 5D", 7);

  assert.deepEqual([locks.slice(2, 10), slots.slice(2, 10)], ["00005500", "FFFF0000"]);
});

test("KeyValid as in the reference's trace has a byte that is not zero", () => {
  const sim = traceChip("00 00 00 00");
  wake(sim);

  assert.equal(exchange(sim, "03 07 30 01 00 00 00 D7", 7).slice(2, 10), "01000000");
});

test("Random of an unlocked chip is FF FF 00 00, eight times over", () => {
  const sim = traceChip("00 00 55 55");
  wake(sim);

  assert.equal(exchange(sim, "03 07 1B 00 00 00 24 CD", 35), `23${"FFFF0000".repeat(8)}411A`);
});

test("slot 10 reads by blocks and words as in the reference's traces", () => {
  const certificate = Uint8Array.from({ length: 72 }, (_, index) => index);
  const sim = testChip({
    parts: { configuration: traceConfiguration("00 00 00 00"), slots: { 10: certificate } },
  });
  wake(sim);

  const parts = [
    exchange(sim, "03 07 02 82 50 00 0A 14", 35).slice(2, -4),
    exchange(sim, "03 07 02 82 50 01 09 97", 35).slice(2, -4),
    exchange(sim, "03 07 02 02 50 02 9E 15", 7).slice(2, -4),
    exchange(sim, "03 07 02 02 51 02 97 95", 7).slice(2, -4),
  ];

  assert.equal(parts.join(""), hexOf(certificate));
});

for (const [bytes, crc] of [
  ["00", "0000"],
  ["01", "0383"],
  ["313233343536373839", "DDBC"],
  [hexOf(Uint8Array.from({ length: 32 }, (_, index) => index)), "C356"],
  ["0730000000", "035D"],
  ["071B000000", "24CD"],
  ["0702800000", "09AD"],
  ["0741A00000", "7B85"],
  ["0411", "3343"],
  ["0400", "0340"],
  ["0401", "00C3"],
  ["0403", "8342"],
  ["0405", "C343"],
  ["0407", "40C2"],
  ["0408", "60C0"],
  ["040F", "2342"],
  ["04EE", "3141"],
  ["04FF", "0142"],
] as const) {
  test(`the CRC of ${bytes} is the reference's`, () => {
    const value = crc16(bytesOf(bytes));

    assert.equal(hexOf(Uint8Array.of(value & 0xff, value >> 8)), crc);
  });
}

for (const length of [0, 63, 64, 65, 128]) {
  test(`a signing input of ${String(length)} bytes, hashed on the chip, is signed for node:crypto to verify`, () => {
    const input = Uint8Array.from({ length }, (_, index) => 0x41 + (index % 26));
    const sim = testChip();

    command(sim, 0x47, 0x00, 0);
    const blocks = Math.floor(length / 64);
    for (let block = 0; block < blocks; block += 1)
      command(sim, 0x47, 0x01, 64, input.subarray(block * 64, block * 64 + 64));
    const rest = input.subarray(blocks * 64);
    command(sim, 0x47, 0x42, rest.length, rest);
    const signature = command(sim, 0x41, 0xa0, 0);

    assert.ok(
      verify(
        "sha256",
        input,
        { key: publicKeyFrom(bytesOf(PUBLIC_KEY)), dsaEncoding: "ieee-p1363" },
        signature,
      ),
    );
  });
}

function publicKeyFrom(raw: Uint8Array): ReturnType<typeof createPublicKey> {
  const [x, y] = [raw.subarray(0, 32), raw.subarray(32)].map((part) =>
    Buffer.from(part).toString("base64url"),
  );
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" }, format: "jwk" });
}

/** RFC 6979 §3.2 with SHA-256, for this key; the first candidate is in range for all but one digest in 2^32. */
function rfc6979K(digest: Uint8Array): Uint8Array {
  const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
    const mac = createHmac("sha256", key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  };
  let v: Uint8Array = new Uint8Array(32).fill(0x01);
  let key: Uint8Array = new Uint8Array(32);
  for (const step of [0x00, 0x01]) {
    key = hmac(key, v, Uint8Array.of(step), RFC6979_KEY, digest);
    v = hmac(key, v);
  }
  return hmac(key, v);
}

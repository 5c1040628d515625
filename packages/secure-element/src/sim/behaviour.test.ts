import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { LockState } from "../../test/sim-host.ts";
import {
  bytesOf,
  command,
  hexOf,
  lockStates,
  padPublicKey,
  RFC6979_K,
  RFC6979_KEY,
  SECRET,
  TRACE_SERIAL,
  testChip,
} from "../../test/sim-host.ts";
import { crc16 } from "../crc16.ts";
import { nodeSimCrypto } from "../host/node/sim-crypto.ts";
import type { ChipSim } from "./chip-sim.ts";

// Command × mode × state, once: each row is a test, and the table in docs/reference/atecc608-simulator.md is held to
// these rows line by line.

interface Row {
  readonly command: string;
  readonly mode: string;
  /** Answers while unlocked, with the configuration locked, with both locked: a status, or how many bytes. */
  readonly answers: readonly [string, string, string];
  readonly run: (sim: ChipSim) => Uint8Array;
}

const rows: Row[] = [];
const always = (answer: string): Row["answers"] => [answer, answer, answer];
const add = (name: string, mode: string, answers: Row["answers"] | string, run: Row["run"]): void => {
  rows.push({ command: name, mode, answers: typeof answers === "string" ? always(answers) : answers, run });
};
const call =
  (opcode: number, param1: number, param2 = 0, data?: Uint8Array): Row["run"] =>
  (sim) =>
    command(sim, opcode, param1, param2, data);
const after =
  (...steps: readonly Row["run"][]): Row["run"] =>
  (sim) => {
    let answer: Uint8Array = new Uint8Array(0);
    for (const step of steps) answer = step(sim);
    return answer;
  };
const zeros = (length: number): Uint8Array => new Uint8Array(length);
const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const sim256 = nodeSimCrypto();
const DIGEST = sha256(Buffer.from("sample"));
const SIGNATURE = sim256.signDigest(RFC6979_KEY, DIGEST, RFC6979_K) ?? zeros(64);
const PUBLIC_KEY = sim256.publicKeyOf(RFC6979_KEY) ?? zeros(64);
const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
const changed = (bytes: Uint8Array, index: number): Uint8Array => bytes.with(index, (bytes[index] ?? 0) ^ 1);

const digestToTempKey = call(0x16, 0x03, 0, DIGEST);
const digestToBuffer = call(0x16, 0x43, 0, DIGEST);
const randomNonce = call(0x16, 0x00, 0, zeros(20));

/** CheckMac of a challenge of zeros and the secret in slot 5. */
const checkMacData = (secret: Uint8Array): Uint8Array => {
  const response = sha256(
    secret.subarray(0, 32),
    zeros(32),
    zeros(15),
    TRACE_SERIAL.subarray(8),
    zeros(4),
    TRACE_SERIAL.subarray(0, 2),
    zeros(2),
  );
  return join(zeros(32), response, zeros(13));
};
const authorise = call(0x28, 0x00, 5, checkMacData(SECRET));

add("Info 30", "00 Revision", "4 bytes", call(0x30, 0x00));
add("Info 30", "01 KeyValid, slot 0", "4 bytes", call(0x30, 0x01, 0));
add("Info 30", "01 KeyValid, slot 16", "03", call(0x30, 0x01, 16));
add("Info 30", "02 State", "4 bytes", call(0x30, 0x02));
add("Info 30", "03 GPIO", "0F", call(0x30, 0x03));
add("Info 30", "04 latch, read", "4 bytes", call(0x30, 0x04, 0));
add("Info 30", "04 latch, set, not enabled", "0F", call(0x30, 0x04, 3));
add("Info 30", "05", "03", call(0x30, 0x05));

add("Random 1B", "00", "32 bytes", call(0x1b, 0x00));
add("Random 1B", "01", "32 bytes", call(0x1b, 0x01));
add("Random 1B", "02", "03", call(0x1b, 0x02));
add("Random 1B", "00, param2 1", "03", call(0x1b, 0x00, 1));

add("Nonce 16", "00, 20 bytes", "32 bytes", randomNonce);
add("Nonce 16", "01, 20 bytes", "32 bytes", call(0x16, 0x01, 0, zeros(20)));
add("Nonce 16", "00, param2 8000", "32 bytes", call(0x16, 0x00, 0x8000, zeros(20)));
add("Nonce 16", "00, 32 bytes", "03", call(0x16, 0x00, 0, zeros(32)));
add("Nonce 16", "02", "03", call(0x16, 0x02, 0, zeros(32)));
for (const [mode, length] of [
  [0x03, 32],
  [0x43, 32],
  [0x83, 32],
  [0x23, 64],
  [0x63, 64],
] as const) {
  add(
    "Nonce 16",
    `${hexOf(Uint8Array.of(mode))}, ${String(length)} bytes`,
    "00",
    call(0x16, mode, 0, zeros(length)),
  );
}
add("Nonce 16", "A3, 64 bytes", "03", call(0x16, 0xa3, 0, zeros(64)));
add("Nonce 16", "C3, 32 bytes", "03", call(0x16, 0xc3, 0, zeros(32)));
add("Nonce 16", "43, 31 bytes", "03", call(0x16, 0x43, 0, zeros(31)));

add("GenKey 40", "04, slot with bit 13", ["0F", "64 bytes", "64 bytes"], call(0x40, 0x04, 0));
add("GenKey 40", "04, slot without bit 13", ["0F", "64 bytes", "0F"], call(0x40, 0x04, 2));
add("GenKey 40", "04, ReqAuth, not authorised", ["0F", "64 bytes", "0F"], call(0x40, 0x04, 3));
add(
  "GenKey 40",
  "04, ReqAuth, after CheckMac",
  ["0F", "64 bytes", "64 bytes"],
  after(authorise, call(0x40, 0x04, 3)),
);
add(
  "GenKey 40",
  "04, individually locked slot",
  ["0F", "0F", "0F"],
  after(call(0x17, 0x02), call(0x40, 0x04, 0)),
);
add("GenKey 40", "04, slot not private", "0F", call(0x40, 0x04, 8));
add("GenKey 40", "04, slot 16", "03", call(0x40, 0x04, 16));
add("GenKey 40", "04, key in TempKey (FFFF)", ["0F", "64 bytes", "64 bytes"], call(0x40, 0x04, 0xffff));
add(
  "GenKey 40",
  "0C, TempKey valid",
  ["0F", "64 bytes", "64 bytes"],
  after(digestToTempKey, call(0x40, 0x0c, 0)),
);
add("GenKey 40", "0C, TempKey not valid", "0F", call(0x40, 0x0c, 0));
add("GenKey 40", "00, PubInfo 1", ["0F", "64 bytes", "64 bytes"], call(0x40, 0x00, 0));
add("GenKey 40", "00, PubInfo 0", "0F", call(0x40, 0x00, 2));
add(
  "GenKey 40",
  "08, TempKey valid",
  ["0F", "64 bytes", "64 bytes"],
  after(digestToTempKey, call(0x40, 0x08, 0)),
);
add(
  "GenKey 40",
  "10, stored public key",
  ["0F", "00", "00"],
  after(digestToTempKey, call(0x40, 0x10, 11, zeros(3))),
);
add(
  "GenKey 40",
  "10, slot without a public key",
  "0F",
  after(digestToTempKey, call(0x40, 0x10, 8, zeros(3))),
);
add("GenKey 40", "20 (MAC)", "03", call(0x40, 0x20, 0));

add(
  "Sign 41",
  "A0, digest in the buffer",
  ["0F", "0F", "64 bytes"],
  after(digestToBuffer, call(0x41, 0xa0, 0)),
);
add("Sign 41", "A0, digest in TempKey only", "0F", after(digestToTempKey, call(0x41, 0xa0, 0)));
add(
  "Sign 41",
  "80, digest in TempKey",
  ["0F", "0F", "64 bytes"],
  after(digestToTempKey, call(0x41, 0x80, 0)),
);
add("Sign 41", "80, digest in the buffer only", "0F", after(digestToBuffer, call(0x41, 0x80, 0)));
add("Sign 41", "A0, slot without external sign", "0F", after(digestToBuffer, call(0x41, 0xa0, 1)));
add("Sign 41", "A0, slot not private", "0F", after(digestToBuffer, call(0x41, 0xa0, 8)));
add("Sign 41", "A0, slot 16", "03", after(digestToBuffer, call(0x41, 0xa0, 16)));
add("Sign 41", "A0, ReqAuth, not authorised", "0F", after(digestToBuffer, call(0x41, 0xa0, 3)));
add(
  "Sign 41",
  "A0, ReqAuth, after CheckMac",
  ["0F", "0F", "64 bytes"],
  after(digestToBuffer, authorise, call(0x41, 0xa0, 3)),
);
add(
  "Sign 41",
  "00 internal, TempKey by GenKey",
  ["0F", "0F", "64 bytes"],
  after(randomNonce, call(0x40, 0x08, 0), call(0x41, 0x00, 1)),
);
add(
  "Sign 41",
  "40 internal, full serial",
  ["0F", "0F", "64 bytes"],
  after(randomNonce, call(0x40, 0x08, 0), call(0x41, 0x40, 1)),
);
add("Sign 41", "00 internal, TempKey by Nonce", "0F", after(randomNonce, call(0x41, 0x00, 1)));
add(
  "Sign 41",
  "00 internal, slot without internal sign",
  "0F",
  after(randomNonce, call(0x40, 0x08, 0), call(0x41, 0x00, 0)),
);
add("Sign 41", "E0", "03", after(digestToBuffer, call(0x41, 0xe0, 0)));

const signed = join(SIGNATURE, PUBLIC_KEY);
add("Verify 45", "22 external, good", ["0F", "00", "00"], after(digestToBuffer, call(0x45, 0x22, 4, signed)));
add(
  "Verify 45",
  "02 external, good",
  ["0F", "00", "00"],
  after(digestToTempKey, call(0x45, 0x02, 4, signed)),
);
add(
  "Verify 45",
  "22 external, wrong signature",
  ["0F", "01", "01"],
  after(digestToBuffer, call(0x45, 0x22, 4, changed(signed, 40))),
);
add(
  "Verify 45",
  "22 external, point off the curve",
  "0F",
  after(digestToBuffer, call(0x45, 0x22, 4, changed(signed, 127))),
);
add("Verify 45", "22 external, no digest", "0F", call(0x45, 0x22, 4, signed));
add("Verify 45", "22 external, key type 5", "03", after(digestToBuffer, call(0x45, 0x22, 5, signed)));
add(
  "Verify 45",
  "20 stored, good",
  ["0F", "00", "00"],
  after(digestToBuffer, call(0x45, 0x20, 11, SIGNATURE)),
);
add(
  "Verify 45",
  "20 stored, slot without a public key",
  "0F",
  after(digestToBuffer, call(0x45, 0x20, 8, SIGNATURE)),
);
add(
  "Verify 45",
  "01, 03, 07 validate, invalidate",
  "03",
  after(digestToTempKey, call(0x45, 0x03, 11, SIGNATURE)),
);
add("Verify 45", "82 (MAC)", "03", after(digestToTempKey, call(0x45, 0x82, 4, signed)));

add("Read 02", "00 configuration, word", "4 bytes", call(0x02, 0x00, 0x15));
add("Read 02", "80 configuration, block", "32 bytes", call(0x02, 0x80, 0x18));
add("Read 02", "80 configuration, block 4", "03", call(0x02, 0x80, 0x20));
add("Read 02", "81 OTP, block", ["0F", "0F", "32 bytes"], call(0x02, 0x81, 0x08));
add("Read 02", "01 OTP, word", ["0F", "0F", "4 bytes"], call(0x02, 0x01, 0x0f));
add("Read 02", "82 open slot, block", ["0F", "0F", "32 bytes"], call(0x02, 0x82, 0x0c40));
add("Read 02", "02 open slot, word", ["0F", "0F", "4 bytes"], call(0x02, 0x02, 0x0251));
add("Read 02", "82 short last block", ["0F", "0F", "32 bytes"], call(0x02, 0x82, 0x0250));
add("Read 02", "02 past the slot", "03", call(0x02, 0x02, 0x0252));
add("Read 02", "82 private slot", "0F", call(0x02, 0x82, 0x0000));
add("Read 02", "82 secret slot", "0F", call(0x02, 0x82, 0x0028));
add("Read 02", "82 slot with encrypted read", "0F", call(0x02, 0x82, 0x0070));
add("Read 02", "03 no such zone", "03", call(0x02, 0x03, 0));

add("Write 12", "80 configuration, block 1", ["00", "0F", "0F"], call(0x12, 0x80, 0x08, zeros(32)));
add(
  "Write 12",
  "00 configuration, word at 16",
  ["00", "0F", "0F"],
  call(0x12, 0x00, 0x04, bytesOf("C0000000")),
);
add("Write 12", "00 configuration, word at 0", "0F", call(0x12, 0x00, 0x00, zeros(4)));
add("Write 12", "00 configuration, lock bytes", "0F", call(0x12, 0x00, 0x15, zeros(4)));
add(
  "Write 12",
  "80 configuration, block 0 or 2",
  "0F",
  after(call(0x12, 0x80, 0x00, zeros(32)), call(0x12, 0x80, 0x10, zeros(32))),
);
add("Write 12", "80, 4 bytes of data", "03", call(0x12, 0x80, 0x08, zeros(4)));
add("Write 12", "81 OTP, block", ["0F", "00", "0F"], call(0x12, 0x81, 0x00, zeros(32)));
add("Write 12", "01 OTP, word", "0F", call(0x12, 0x01, 0x00, zeros(4)));
add(
  "Write 12",
  "82 data, block, WriteConfig Always",
  ["0F", "00", "00"],
  call(0x12, 0x82, 0x0c40, zeros(32)),
);
add("Write 12", "02 data, word, WriteConfig Always", ["0F", "0F", "00"], call(0x12, 0x02, 0x0041, zeros(4)));
add("Write 12", "82 data, short last block", ["0F", "00", "00"], call(0x12, 0x82, 0x0250, zeros(32)));
add("Write 12", "82 data, past the slot", "03", call(0x12, 0x82, 0x0350, zeros(32)));
add("Write 12", "82 data, WriteConfig Never", ["0F", "00", "0F"], call(0x12, 0x82, 0x0060, zeros(32)));
add(
  "Write 12",
  "82 data, WriteConfig PubInvalid",
  ["0F", "00", "00"],
  call(0x12, 0x82, 0x0068, padPublicKey(PUBLIC_KEY).subarray(0, 32)),
);
add("Write 12", "82 data, WriteConfig Encrypt", ["0F", "00", "0F"], call(0x12, 0x82, 0x0078, zeros(32)));
add("Write 12", "82 private slot", "0F", call(0x12, 0x82, 0x0000, zeros(32)));
add(
  "Write 12",
  "82 individually locked slot",
  "0F",
  after(call(0x17, 0x26), call(0x12, 0x82, 0x0048, zeros(32))),
);
add("Write 12", "C2 (encrypted)", "03", call(0x12, 0xc2, 0x0078, zeros(64)));

const configSummary: Row["run"] = (sim) => {
  const blocks = [0x00, 0x08, 0x10, 0x18].map((block) => command(sim, 0x02, 0x80, block));
  return command(sim, 0x17, 0x00, crc16(join(...blocks)));
};
const dataSummary: Row["run"] = (sim) => {
  const blank = (length: number): Uint8Array => zeros(length).fill(0xff);
  const slots = [
    SECRET,
    SECRET,
    blank(36),
    zeros(416),
    zeros(72),
    zeros(72),
    padPublicKey(PUBLIC_KEY),
    blank(4 * 72),
  ];
  return command(sim, 0x17, 0x01, crc16(join(...slots, blank(64))));
};
add("Lock 17", "00 configuration, right summary", ["00", "0F", "0F"], configSummary);
add("Lock 17", "00 configuration, wrong summary", "0F", call(0x17, 0x00, 0x1234));
add("Lock 17", "80 configuration, no summary", ["00", "0F", "0F"], call(0x17, 0x80));
add("Lock 17", "01 data, right summary", ["0F", "00", "0F"], dataSummary);
add("Lock 17", "01 data, wrong summary", "0F", call(0x17, 0x01, 0x1234));
add("Lock 17", "81 data, no summary", ["0F", "00", "0F"], call(0x17, 0x81));
add("Lock 17", "26 slot 9, lockable", ["0F", "00", "00"], call(0x17, 0x26));
add("Lock 17", "26 slot 9, twice", "0F", after(call(0x17, 0x26), call(0x17, 0x26)));
add("Lock 17", "2A slot 10, not lockable", "0F", call(0x17, 0x2a));
add("Lock 17", "03", "03", call(0x17, 0x03));

add("Counter 24", "00 read", "4 bytes", call(0x24, 0x00, 1));
add("Counter 24", "01 increment", "4 bytes", call(0x24, 0x01, 1));
add("Counter 24", "00, counter 2", "03", call(0x24, 0x00, 2));
add("Counter 24", "02", "03", call(0x24, 0x02, 0));

add("UpdateExtra 20", "00 UserExtra", "00", call(0x20, 0x00, 0x55));
add("UpdateExtra 20", "01 UserExtraAdd", "00", call(0x20, 0x01, 0x6a));
add("UpdateExtra 20", "00, twice", "0F", after(call(0x20, 0x00, 0x55), call(0x20, 0x00, 0x66)));
add("UpdateExtra 20", "02 (decrement)", "03", call(0x20, 0x02, 0));

add("SelfTest 77", "3B all", "00", call(0x77, 0x3b));
add("SelfTest 77", "00", "03", call(0x77, 0x00));
add("SelfTest 77", "40", "03", call(0x77, 0x40));

const shaStart = call(0x47, 0x00);
const shaFive = after(shaStart, call(0x47, 0x01, 5, bytesOf("0102030405")));
add("SHA 47", "00 start", "00", shaStart);
add("SHA 47", "01 update, 64 bytes", "00", after(shaStart, call(0x47, 0x01, 64, zeros(64))));
add("SHA 47", "01 update, 65 bytes", "03", after(shaStart, call(0x47, 0x01, 65, zeros(65))));
add("SHA 47", "01 update without a start", "0F", call(0x47, 0x01, 64, zeros(64)));
add("SHA 47", "02 end, 63 bytes, to TempKey", "32 bytes", after(shaStart, call(0x47, 0x02, 63, zeros(63))));
add("SHA 47", "42 end, to the Message Digest Buffer", "32 bytes", after(shaStart, call(0x47, 0x42, 0)));
add("SHA 47", "C2 end, output only", "32 bytes", after(shaStart, call(0x47, 0xc2, 0)));
add("SHA 47", "02 end, 64 bytes", "03", after(shaStart, call(0x47, 0x02, 64, zeros(64))));
add("SHA 47", "03 add public key of slot 11", ["0F", "00", "00"], after(shaStart, call(0x47, 0x03, 11)));
add("SHA 47", "04 HMAC start, secret slot", ["0F", "0F", "00"], call(0x47, 0x04, 5));
add("SHA 47", "04 HMAC start, private slot", "0F", call(0x47, 0x04, 0));
add("SHA 47", "04 HMAC start, TempKey (FFFF)", "00", after(digestToTempKey, call(0x47, 0x04, 0xffff)));
add("SHA 47", "06 read context", "41 bytes", after(shaFive, call(0x47, 0x06)));
add("SHA 47", "07 write context", "00", (sim) => {
  const context = after(shaFive, call(0x47, 0x06))(sim);
  return command(sim, 0x47, 0x07, context.length, context);
});
add("SHA 47", "07 write context, not one of ours", "0F", call(0x47, 0x07, 36, zeros(36).with(0, 64)));
add("SHA 47", "05", "03", call(0x47, 0x05));

add("MAC 08", "00, secret slot", ["0F", "0F", "32 bytes"], call(0x08, 0x00, 5, zeros(32)));
add(
  "MAC 08",
  "41, challenge in TempKey, full serial",
  ["0F", "0F", "32 bytes"],
  after(randomNonce, call(0x08, 0x41, 5)),
);
add("MAC 08", "05, source flag does not match", "0F", after(randomNonce, call(0x08, 0x05, 5)));
add("MAC 08", "00, slot with NoMac", "0F", call(0x08, 0x00, 6, zeros(32)));
add("MAC 08", "00, private slot", "0F", call(0x08, 0x00, 0, zeros(32)));
add("MAC 08", "10 (OTP)", "03", call(0x08, 0x10, 5, zeros(32)));
add("CheckMac 28", "00, right", ["0F", "0F", "00"], authorise);
add("CheckMac 28", "00, wrong", ["0F", "0F", "01"], call(0x28, 0x00, 5, zeros(77)));
add("CheckMac 28", "00, 76 bytes", "03", call(0x28, 0x00, 5, zeros(76)));
add("GenDig 15", "02, secret slot", ["0F", "0F", "00"], after(randomNonce, call(0x15, 0x02, 5)));
add(
  "GenDig 15",
  "02, NoMac slot, 4 bytes",
  ["0F", "0F", "00"],
  after(randomNonce, call(0x15, 0x02, 6, zeros(4))),
);
add("GenDig 15", "02, private slot", "0F", after(randomNonce, call(0x15, 0x02, 0)));
add("GenDig 15", "00 configuration block", ["0F", "0F", "00"], after(randomNonce, call(0x15, 0x00, 1)));
add("GenDig 15", "01 OTP block", ["0F", "0F", "00"], after(randomNonce, call(0x15, 0x01, 1)));
add("GenDig 15", "02, TempKey not valid", "0F", call(0x15, 0x02, 5));
add("GenDig 15", "03, 04, 05", "03", after(randomNonce, call(0x15, 0x03, 0, zeros(32))));

for (const [name, opcode] of [
  ["Pause 01", 0x01],
  ["HMAC 11", 0x11],
  ["DeriveKey 1C", 0x1c],
  ["ECDH 43", 0x43],
  ["PrivWrite 46", 0x46],
  ["AES 51", 0x51],
  ["KDF 56", 0x56],
  ["SecureBoot 80", 0x80],
  ["any other opcode", 0xfe],
] as const) {
  add(name, "any", "03", call(opcode, 0x00));
}

const inWords = (data: Uint8Array): string =>
  data.length === 1 ? hexOf(data) : `${String(data.length)} bytes`;
const nameOf = (row: Row): string => `${row.command}, ${row.mode}: ${row.answers.join(" / ")}`;

for (const row of rows) {
  test(nameOf(row), () => {
    const answers = lockStates.map((locks: LockState) => inWords(row.run(testChip({ locks }))));

    assert.deepEqual(answers, row.answers);
  });
}

test("the table of the reference page is these rows, line by line", () => {
  const page = readFileSync(
    new URL("../../../../docs/reference/atecc608-simulator.md", import.meta.url),
    "utf8",
  );
  const lines = rows.map(
    (row) => `| ${row.command} | ${row.mode} | ${row.answers.join(" | ")} | \`${nameOf(row)}\` |`,
  );

  const table = page.split("\n").filter((line) => /^\| .+\| `.+: .+ \/ .+ \/ .+` \|$/.test(line));

  assert.deepEqual(table, lines);
});

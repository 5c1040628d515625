import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { delegationMillisMax, encodeTimeMessage } from "@mayfly/core/time-answer";
import { dayMillis, keyFileText, pin, root, startMillis } from "../../test/time-house.ts";
import {
  delegationBackdateMillis,
  makeTimeKeyFile,
  makeTimeRoot,
  parseTimeKeyFile,
  TimeKeyError,
} from "./time-key-file.ts";

test("a key file gives back its delegation: backdated by ten minutes, as long as was ordered", () => {
  const { bounds, delegation, root: delegating } = parseTimeKeyFile(keyFileText());

  assert.equal(bounds.notBeforeMillis, startMillis - delegationBackdateMillis);
  assert.equal(bounds.notAfterMillis - bounds.notBeforeMillis, 7 * dayMillis);
  assert.equal(delegation.length, 170);
  assert.deepEqual(delegating, pin);
});

test("no order makes a delegation of more than 30 days", () => {
  const { bounds } = parseTimeKeyFile(keyFileText({ lifetimeMillis: 365 * dayMillis }));

  assert.equal(bounds.notAfterMillis - bounds.notBeforeMillis, delegationMillisMax);
});

test("each key file has a fresh online key", () => {
  const [first, second] = [parseTimeKeyFile(keyFileText()), parseTimeKeyFile(keyFileText())];

  assert.notDeepEqual(first.bounds.publicKey, second.bounds.publicKey);
});

test("signatures are R‖S, 64 bytes", () => {
  const key = parseTimeKeyFile(keyFileText());

  for (let i = 0; i < 50; i++) {
    const message = encodeTimeMessage({ nonce: new Uint8Array(32), timeMillis: i, radiusMillis: 0 });
    assert.equal(key.sign(message).length, 64);
  }
});

const blockOf = (text: string, label: string): string =>
  new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(text)?.[0] ?? assert.fail(label);
const good = keyFileText();
const other = keyFileText({ rootPem: makeTimeRoot().privatePem });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

const swapped = (label: string, by: string): string => good.replace(blockOf(good, label), by);
for (const [what, text] of [
  ["nothing", ""],
  ["no private key", swapped("PRIVATE KEY", "")],
  ["no delegation", swapped("MAYFLY TIME DELEGATION", "")],
  ["no root", swapped("PUBLIC KEY", "")],
  ["another private key", swapped("PRIVATE KEY", blockOf(other, "PRIVATE KEY"))],
  ["another key's delegation", swapped("MAYFLY TIME DELEGATION", blockOf(other, "MAYFLY TIME DELEGATION"))],
  ["another root", swapped("PUBLIC KEY", blockOf(other, "PUBLIC KEY"))],
  ["a key on another curve", swapped("PRIVATE KEY", p384)],
  ["a delegation cut short", good.replace(/(DELEGATION-----\n).{64}\n/, "$1")],
  ["half a file", good.slice(0, good.length / 2)],
] as const) {
  test(`a key file with ${what} is refused, and the refusal quotes nothing of it`, () => {
    assert.throws(
      () => parseTimeKeyFile(text),
      (error) => {
        assert.ok(error instanceof TimeKeyError);
        assert.doesNotMatch(error.message, /[A-Za-z0-9+/]{20}/);
        return true;
      },
    );
  });
}

test("what is no P-256 private key delegates nothing", () => {
  for (const rootPem of ["", root.publicPem, p384]) {
    const order = { rootPem, nowMillis: startMillis, lifetimeMillis: dayMillis };
    assert.throws(() => makeTimeKeyFile(order), TimeKeyError);
  }
});

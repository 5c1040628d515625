import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { requireService } from "../../../tools/services.ts";
import { utf8Encode, utf8Length } from "./bytes.ts";
import { envelopeIdBytesMax, unwrapEnvelope, wrapEnvelope } from "./envelope.ts";

const ids = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 64 })
  .filter((id) => utf8Length(id) <= envelopeIdBytesMax);

test("what was wrapped comes out as it was", () => {
  fc.assert(
    fc.property(ids, fc.uint8Array({ maxLength: 100 }), (id, payload) => {
      const opened = unwrapEnvelope(wrapEnvelope(id, payload));

      assert.equal(opened?.messageId, id);
      assert.deepEqual(opened?.payload, payload);
    }),
  );
});

test("an envelope's bytes are as the reference shows them", () => {
  const bytes = wrapEnvelope("a7", utf8Encode("21.5"));

  assert.equal(Buffer.from(bytes).toString("hex"), "4d46450102613732312e35");
});

test("an envelope cut within its head or id is none, and so is any other payload", () => {
  const whole = wrapEnvelope("id-1", utf8Encode("x"));

  for (let length = 0; length < whole.length - 1; length++) {
    assert.equal(unwrapEnvelope(whole.subarray(0, length)), undefined, `${length} bytes`);
  }
  for (const other of ["", "plain", "MFE", '{"t":21.5}']) {
    assert.equal(unwrapEnvelope(utf8Encode(other)), undefined, other);
  }
  for (const at of [0, 1, 2, 3]) {
    const changed = whole.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(unwrapEnvelope(changed), undefined, `byte ${at} changed`);
  }
});

test("an id that is no UTF-8, or has no byte, or 129, makes no envelope", () => {
  const bad = wrapEnvelope("aa", utf8Encode("x"));
  bad.set([0xff, 0xfe], 5);
  const empty = wrapEnvelope("aa", utf8Encode("x"));
  empty[4] = 0;
  const long = new Uint8Array(300);
  long.set(empty);
  long[4] = 129;

  assert.deepEqual([bad, empty, long].map(unwrapEnvelope), [undefined, undefined, undefined]);
  assert.throws(() => wrapEnvelope("", new Uint8Array()), RangeError);
  assert.throws(() => wrapEnvelope("x".repeat(129), new Uint8Array()), RangeError);
  assert.equal(unwrapEnvelope(wrapEnvelope("x".repeat(128), new Uint8Array()))?.messageId.length, 128);
});

test("three lines of Python read it", (t) => {
  requireService(t, "python3");
  const program = [
    "import sys",
    "b = sys.stdin.buffer.read()",
    "assert b[:4] == b'MFE\\x01'",
    "print(b[5:5 + b[4]].decode(), b[5 + b[4]:].decode())",
  ].join("\n");

  const said = execFileSync("python3", ["-c", program], {
    input: wrapEnvelope("3-é-1", utf8Encode("21.5 °C")),
    encoding: "utf8",
    env: { ...process.env, PYTHONUTF8: "1" },
  });

  assert.equal(said, "3-é-1 21.5 °C\n");
});

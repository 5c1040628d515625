import assert from "node:assert/strict";
import { test } from "node:test";
import { readBridgeHints } from "./bridge-hints.ts";

const read = (...userProperties: (readonly [string, string])[]) => readBridgeHints({ userProperties });

test("server time, exp and window are read from User Properties", () => {
  const hints = read(
    ["server-time", "1700000000.125"],
    ["exp", "1700003600"],
    ["renew-from", "1700003000"],
    ["renew-until", "1700003060"],
  );

  assert.deepEqual(hints, {
    serverTime: 1_700_000_000.125,
    exp: 1_700_003_600,
    renewFrom: 1_700_003_000,
    renewUntil: 1_700_003_060,
  });
});

test("how long the bridge wants to be left alone is read from retry-after", () => {
  assert.deepEqual(read(["retry-after", "10"]), { retryAfterSeconds: 10 });
  assert.deepEqual(read(["retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"]), {});
});

test("what is missing is missing, and without properties there are no hints", () => {
  assert.deepEqual(readBridgeHints(undefined), {});
  assert.deepEqual(read(["exp", "1700003600"]), { exp: 1_700_003_600 });
});

test("a window needs both ends in order", () => {
  assert.deepEqual(read(["renew-from", "10"]), {});
  assert.deepEqual(read(["renew-until", "10"]), {});
  assert.deepEqual(read(["renew-from", "11"], ["renew-until", "10"]), {});
  assert.deepEqual(read(["renew-from", "10"], ["renew-until", "10"]), { renewFrom: 10, renewUntil: 10 });
});

test("what is no number in range counts as missing", () => {
  for (const text of ["", "soon", "-1", "1e9", "0x10", " 1", "1.", "NaN", "Infinity", "1".repeat(13)]) {
    assert.deepEqual(read(["exp", text]), {}, text);
  }
});

test("the first property of a name counts", () => {
  assert.deepEqual(read(["exp", "1"], ["exp", "2"]), { exp: 1 });
});

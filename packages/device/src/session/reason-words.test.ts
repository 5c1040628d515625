import assert from "node:assert/strict";
import { test } from "node:test";
import { readReasonWords, reasonWordsMax } from "./reason-words.ts";

test("what the bridge says is told in printable ASCII, and cut", () => {
  const words = readReasonWords({
    reasonString: "no\nsuch \u001b[31mdevice\u{1f600}",
    serverReference: "a".repeat(500),
  });

  assert.equal(words.reasonString, "no?such ?[31mdevice?");
  assert.equal(words.serverReference?.length, reasonWordsMax);
});

test("a bridge that says nothing has nothing told", () => {
  assert.deepEqual(readReasonWords(undefined), {});
  assert.deepEqual(readReasonWords({ receiveMaximum: 3 }), {});
});

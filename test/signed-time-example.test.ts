/** The worked example of docs/reference/signed-time.md, verified as the document tells firmware to. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hexDecode, hexEncode } from "@mayfly/core";
import { decodeTimeAnswer, encodeTimeRequest, verifyTimeAnswer } from "@mayfly/core/time-answer";
import { nodeSimCrypto } from "@mayfly/secure-element/node";
import { ROOT } from "../tools/program.ts";

const document = readFileSync(join(ROOT, "docs/reference/signed-time.md"), "utf8");
const [pin = "", request = "", answer = ""] = [...document.matchAll(/^```text\n([0-9a-f\n]+)```$/gm)].map(
  ([, hex = ""]) => hex.replaceAll("\n", ""),
);
const nonce = Uint8Array.from({ length: 32 }, (_, at) => at);
// The arithmetic of the simulated chip: a second verifier, beside the platform's that the other tests use.
const ports = {
  verifier: nodeSimCrypto(),
  sha256: { digest: (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest()) },
};

test("the documented request is what we send", () => {
  assert.equal(hexEncode(encodeTimeRequest(nonce)), request + "00".repeat(238));
});

test("the documented answer is believed, and says what the document says", async () => {
  const bytes = hexDecode(answer);

  const told = await verifyTimeAnswer(
    bytes,
    { nonce, pins: [hexDecode(pin)], roundTripMillis: 300, limitMillis: 5_000 },
    ports,
  );

  const { timeMillis, radiusMillis, delegation } = decodeTimeAnswer(bytes);
  const dates = [timeMillis, delegation.notBeforeMillis, delegation.notAfterMillis, told.now * 1000].map(
    (millis) => new Date(millis).toISOString(),
  );
  const sentence =
    `It tells ${dates[0]} ± ${radiusMillis} ms, under a delegation from ${dates[1]} to ${dates[2]}. ` +
    `So it is ${dates[3]}, give or take ${told.uncertaintySeconds * 1000} ms.`;
  assert.ok(document.replaceAll("\n", " ").includes(sentence), sentence);
});

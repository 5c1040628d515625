/** The page for firmware of others: its examples as our own reader takes them, and as Python and openssl do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hexDecode } from "@mayfly/core";
import {
  formatInstruction,
  formatInstructionResult,
  parseInstruction,
  parseInstructionResult,
} from "@mayfly/core/instruction";
import { verifyKeyOffer } from "@mayfly/core/token";
import { nodeSha256 } from "@mayfly/device/node";

const file = join(import.meta.dirname, "..", "..", "docs", "reference", "instruction.md");
const page = readFileSync(file, "utf8");

function blocks(kind: string): readonly string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n([^]*?)\\n\`\`\`$`, "gm"))].map(
    ([, text = ""]) => text,
  );
}

const instructions = blocks("json").filter((text) => text.includes('"scope"'));
const results = blocks("json").filter((text) => text.includes('"outcome"'));

test("the page's instructions and results are what our own reader takes, byte for byte", () => {
  assert.deepEqual([instructions.length, results.length], [3, 2]);
  for (const text of instructions) assert.equal(formatInstruction(parseInstruction(text)), text);
  for (const text of results) assert.equal(formatInstructionResult(parseInstructionResult(text)), text);
});

test("the page's offer is taken, attested, for the instruction it answers", () => {
  const asked = instructions.map(parseInstruction).find(({ order }) => order.scope === "offer-key");
  assert.ok(asked?.order.scope === "offer-key");
  const [current, attesting] = blocks("pem").map((pem) => createPublicKey(pem));
  const [offer = ""] = blocks("jws");

  const { proof } = verifyKeyOffer(
    offer.replaceAll("\n", ""),
    {
      names: [asked.device],
      number: asked.number,
      slot: asked.order.slot,
      challenge: asked.order.challenge,
      currentKey: current,
      chip: { serialNumber: hexDecode("01237a1b4d2e3c91ee"), attestationSlot: 1, attestationKey: attesting },
    },
    {
      sha256: nodeSha256,
      verifier: {
        verify: (_alg, key, input, signature) =>
          verify("sha256", input, { key: key as KeyObject, dsaEncoding: "ieee-p1363" }, signature),
      },
    },
  );

  assert.equal(proof, "attested");
});

test("a reader in Python, with openssl for the signatures, understands the page by itself", () => {
  const printed = execFileSync("python3", [join(import.meta.dirname, "instruction-reader.py"), file], {
    encoding: "utf8",
  });

  assert.deepEqual(printed.trim().split("\n"), [
    "use-key 1800000000 1",
    "use-key 1800000002 0123456789abcdef",
    "offer-key 1800000001 2",
    "done 1800000000 1",
    "malformed None 0",
    "offer verified",
  ]);
});

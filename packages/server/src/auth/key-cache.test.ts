import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyRecord } from "../registry/model.ts";
import { KeyCache } from "./key-cache.ts";
import { KeyImportError, type KeyVerifier } from "./key-verifier.ts";

const none = new Uint8Array(0);

function recordOf(fingerprint: string, pem = fingerprint): KeyRecord {
  return { keyId: fingerprint, state: "active", format: "ES256_PEM", pem, fingerprint, createdMs: 0 };
}

function countingPort(): KeyVerifier & { imports: string[]; verified: number } {
  return {
    imports: [],
    verified: 0,
    importKey(pem) {
      this.imports.push(pem);
      if (pem === "broken") throw new KeyImportError("no key");
      return { pem };
    },
    verify() {
      this.verified += 1;
      return true;
    },
    verifyDummy: () => undefined,
  };
}

test("a key is imported when first tried, and once", () => {
  const port = countingPort();
  const cache = new KeyCache(port);

  cache.verify("ES256", recordOf("a"), none, none);
  cache.verify("ES256", recordOf("a"), none, none);

  assert.deepEqual([port.imports, port.verified], [["a"], 2]);
});

test("no more keys are kept than the maximum; a forgotten one is imported again", () => {
  const port = countingPort();
  const cache = new KeyCache(port, 2);

  for (const name of ["a", "b", "c", "a"]) cache.verify("ES256", recordOf(name), none, none);

  assert.equal(cache.size, 2);
  assert.deepEqual(port.imports, ["a", "b", "c", "a"]);
});

test("a key that cannot be imported verifies nothing, and is tried once", () => {
  const port = countingPort();
  const cache = new KeyCache(port);

  const answers = [1, 2].map(() => cache.verify("ES256", recordOf("x", "broken"), none, none));

  assert.deepEqual(answers, [false, false]);
  assert.deepEqual([port.imports.length, port.verified], [1, 0]);
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { hexEncode, utf8Encode } from "./bytes.ts";
import { createSha256 } from "./sha256.ts";

const hexDigest = (text: string): string => hexEncode(createSha256().digest(utf8Encode(text)));

// NIST, "Descriptions of SHA-256, SHA-384, and SHA-512" and the CAVP short messages; public domain.
test("the examples of FIPS 180 hash to what it prints", () => {
  assert.equal(hexDigest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(hexDigest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(
    hexDigest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
  assert.equal(
    hexDigest("a".repeat(1_000_000)),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  );
});

test("every length around a block's border hashes as OpenSSL hashes it", () => {
  const sha256 = createSha256();
  for (let length = 0; length <= 200; length++) {
    const bytes = new Uint8Array(length).map((_, i) => i * 7 + length);

    const digest = sha256.digest(bytes);

    assert.equal(hexEncode(digest), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
  }
});

test("any bytes hash as OpenSSL hashes them, with one hasher for all", () => {
  const sha256 = createSha256();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      assert.equal(hexEncode(sha256.digest(bytes)), createHash("sha256").update(bytes).digest("hex"));
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeUtf8String,
  isAsciiText,
  STRING_BYTES_MAX,
  utf8StringBytes,
  writeUtf8,
} from "./utf8-string.ts";

const oracle = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What the platform's decoder makes of it; undefined where that or MQTT refuses. */
function findOracleText(bytes: Uint8Array): string | undefined {
  try {
    const text = oracle.decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function findText(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8String(bytes, 0, bytes.length, { units: [] });
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "malformed_packet");
    return undefined;
  }
}

function encode(text: string): Uint8Array {
  const size = utf8StringBytes(text);
  const bytes = new Uint8Array(size);
  assert.equal(writeUtf8(bytes, 0, text, size), size);
  return bytes;
}

test("text is taken exactly where the platform's strict decoder takes it and holds no U+0000", () => {
  const near = fc.uint8Array({ max: 0xff, maxLength: 12 });
  const telling = fc.array(
    fc.constantFrom(
      0x00,
      0x41,
      0x7f,
      0x80,
      0xbf,
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0x9f,
      0xa0,
      0xed,
      0xef,
      0xf0,
      0x8f,
      0x90,
      0xf4,
      0xf5,
      0xff,
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(fc.oneof(near, telling), (input) => {
      const bytes = Uint8Array.from(input);

      const text = findText(bytes);

      assert.equal(text, findOracleText(bytes));
    }),
    { numRuns: 5_000 },
  );
});

const refusals: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["U+0000 [MQTT-1.5.4-2]", [0x41, 0x00]],
  ["U+0000 beside other text", [0xc3, 0xa9, 0x00]],
  ["an overlong U+0000", [0xc0, 0x80]],
  ["an overlong slash", [0xe0, 0x80, 0xaf]],
  ["the surrogate U+D800 [MQTT-1.5.4-1]", [0xed, 0xa0, 0x80]],
  ["a pair of surrogates", [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
  ["a value above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
  ["a sequence cut short", [0xe2, 0x82]],
  ["a lone continuation byte", [0x80]],
];
for (const [name, bytes] of refusals) {
  test(`a string with ${name} is refused`, () => {
    const input = Uint8Array.from(bytes);

    assert.equal(findText(input), undefined);
  });
}

test("U+FEFF is kept wherever it stands [MQTT-1.5.4-3]", () => {
  const text = decodeUtf8String(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41), 0, 4, { units: [] });

  assert.equal(text, "\ufeffA");
});

test("a text of any length decodes to itself, whatever falls on the seams of its pieces", () => {
  const parts = fc.array(fc.constantFrom("a".repeat(61), "é", "€", "😀", "z"), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(parts, (list) => {
      const text = list.join("");
      const bytes = encode(text);

      const decoded = decodeUtf8String(bytes, 0, bytes.length, { units: [] });

      assert.equal(decoded, text);
      assert.deepEqual(bytes, new TextEncoder().encode(text));
    }),
  );
});

test("a string of 65,535 bytes is encoded and one of 65,536 is not", () => {
  const longest = "x".repeat(STRING_BYTES_MAX);

  assert.equal(utf8StringBytes(longest), STRING_BYTES_MAX);
  assert.throws(() => utf8StringBytes(`${longest}x`), { code: "not_encodable" });
  assert.throws(() => utf8StringBytes("€".repeat(21_846)), { code: "not_encodable" });
});

test("a lone surrogate and U+0000 have no form on the wire", () => {
  for (const text of ["a\ud800", "\udc00a", "a\0", "é\0"]) {
    assert.throws(() => utf8StringBytes(text), { code: "not_encodable" });
  }
});

test("a remembered text is never taken for bytes that are not its ASCII", () => {
  assert.equal(isAsciiText(Uint8Array.of(0x61, 0x62), 0, 2, "ab"), true);
  assert.equal(isAsciiText(Uint8Array.of(0x61, 0x63), 0, 2, "ab"), false);
  assert.equal(isAsciiText(Uint8Array.of(0xe9), 0, 1, "é"), false);
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  BytesError,
  type BytesErrorCode,
  base64Encode,
  base64LenientDecode,
  base64urlDecode,
  base64urlDecodeText,
  base64urlEncode,
  concatBytes,
  equalBytes,
  hexDecode,
  hexEncode,
  utf8Decode,
  utf8Encode,
  utf8Length,
} from "./bytes.ts";

const someBytes = fc.uint8Array({ maxLength: 2000 });
const someText = fc.string({ unit: "binary", maxLength: 1200 });

function assertRefused(run: () => unknown, code: BytesErrorCode): void {
  assert.throws(run, (error) => error instanceof BytesError && error.code === code);
}

test("UTF-8 of any text is what the platform gives, also with lone surrogates", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((u) => String.fromCharCode(u)) }),
      (text) => {
        const bytes = utf8Encode(text);

        assert.deepEqual(bytes, new TextEncoder().encode(text));
        assert.equal(utf8Length(text), bytes.length);
      },
    ),
  );
});

test("text survives encoding and decoding", () => {
  fc.assert(
    fc.property(someText, (text) => {
      assert.equal(utf8Decode(utf8Encode(text)), text);
    }),
  );
});

test("a run of bytes is taken as UTF-8 exactly when the platform's strict decoder takes it", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const nearUtf8 = fc
    .array(
      fc.oneof(
        fc.constantFrom(0xed, 0xa0, 0x80, 0xc0, 0xf4, 0x90, 0xf0, 0x8f, 0xef, 0xbb, 0xbf, 0x41),
        fc.nat(255),
      ),
      {
        maxLength: 12,
      },
    )
    .map((bytes) => Uint8Array.from(bytes));

  fc.assert(
    fc.property(nearUtf8, (bytes) => {
      let expected: string | undefined;
      try {
        expected = decoder.decode(bytes);
      } catch {
        expected = undefined;
      }

      if (expected === undefined) assertRefused(() => utf8Decode(bytes), "utf8_malformed");
      else assert.equal(utf8Decode(bytes), expected);
    }),
    { numRuns: 2000 },
  );
});

test("base64 and base64url are what the platform gives", () => {
  fc.assert(
    fc.property(someBytes, (bytes) => {
      assert.equal(base64urlEncode(bytes), Buffer.from(bytes).toString("base64url"));
      assert.equal(base64Encode(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(base64urlDecode(base64urlEncode(bytes)), bytes);
    }),
  );
});

test("text out of base64url is the same in one pass as in two", () => {
  const pieces = fc.array(fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom("é", "€", "😀", "\0")), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(pieces, fc.string({ unit: fc.constantFrom(..."A_="), maxLength: 3 }), (texts, around) => {
      const text = texts.join("");
      const encoded = base64urlEncode(utf8Encode(text));
      const whole = around + encoded + around;

      assert.equal(base64urlDecodeText(whole, around.length, whole.length - around.length), text);
    }),
  );
});

test("text out of base64url is refused in one pass for what it is refused in two", () => {
  const good = base64urlEncode(utf8Encode("a text of more than twelve characters, twice"));

  for (let at = 0; at < good.length; at++) {
    for (const wrong of ["=", "+", "\u0142", "\u0141"]) {
      assertRefused(
        () => base64urlDecodeText(good.slice(0, at) + wrong + good.slice(at + 1)),
        "base64_malformed",
      );
    }
  }
  for (let at = 0; at < 40; at++) {
    const bytes = new Uint8Array(40).fill(0x61);
    bytes[at] = 0xff;
    assertRefused(() => base64urlDecodeText(base64urlEncode(bytes)), "utf8_malformed");
  }
});

test("whatever base64url takes, it takes in one spelling only", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."AQgwBCDE-_+/= \n.é"), maxLength: 9 }), (text) => {
      let bytes: Uint8Array;
      try {
        bytes = base64urlDecode(text);
      } catch (error) {
        assert.ok(error instanceof BytesError && error.code === "base64_malformed");
        return;
      }

      assert.equal(base64urlEncode(bytes), text);
    }),
    { numRuns: 2000 },
  );
});

for (const [text, why] of [
  ["Zg==", "padding"],
  ["Zh", "unused bits that are not zero, two characters"],
  ["Zm9=", "padding after three"],
  ["Zm9vYmF", "unused bits that are not zero, three characters"],
  ["Z", "a lone character"],
  ["+/+/", "the standard alphabet"],
  ["Zm9v\n", "a line end"],
  ["Zm 9v", "a blank"],
  ["Zm9\u0142", "a character beyond ASCII"],
] as const) {
  test(`strict base64url refuses ${why}`, () => {
    assertRefused(() => base64urlDecode(text), "base64_malformed");
  });
}

test("lenient base64 takes either alphabet, padded or not", () => {
  fc.assert(
    fc.property(someBytes, (bytes) => {
      for (const text of [
        Buffer.from(bytes).toString("base64"),
        Buffer.from(bytes).toString("base64").replaceAll("=", ""),
        Buffer.from(bytes).toString("base64url"),
      ]) {
        assert.deepEqual(base64LenientDecode(text), bytes);
      }
    }),
  );
});

test("lenient base64 still refuses half a padding, blanks and unused bits", () => {
  for (const text of ["Zg=", "Zm9v=", "Zm9v====", "=", "Zm 9", "Zh==", "Z=g=", "===="]) {
    assertRefused(() => base64LenientDecode(text), "base64_malformed");
  }
});

test("hexadecimal is what the platform gives, either case taken", () => {
  fc.assert(
    fc.property(someBytes, (bytes) => {
      const text = hexEncode(bytes);

      assert.equal(text, Buffer.from(bytes).toString("hex"));
      assert.deepEqual(hexDecode(text.toUpperCase()), bytes);
    }),
  );
});

test("hexadecimal refuses odd lengths and other characters", () => {
  for (const text of ["0", "0g", " 00", "0x00", "@@", "``", "é0"]) {
    assertRefused(() => hexDecode(text), "hex_malformed");
  }
});

test("concatenation keeps order and equality sees every byte", () => {
  fc.assert(
    fc.property(fc.array(someBytes, { maxLength: 5 }), fc.nat(), (parts, at) => {
      const whole = concatBytes(parts);
      const other = whole.slice();
      if (other.length > 0) other[at % other.length] = (other[at % other.length] ?? 0) ^ 1;

      assert.deepEqual(whole, new Uint8Array(Buffer.concat(parts)));
      assert.ok(equalBytes(whole, whole.slice()));
      assert.equal(equalBytes(whole, other), whole.length === 0);
      assert.ok(!equalBytes(whole, concatBytes([whole, Uint8Array.of(0)])));
    }),
  );
});

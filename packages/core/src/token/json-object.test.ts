import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  JsonError,
  type JsonErrorCode,
  jsonDepthMax,
  jsonValuesMax,
  nested,
  readJsonObject,
} from "./json-object.ts";

function assertRefused(text: string, code: JsonErrorCode): void {
  assert.throws(
    () => readJsonObject(text),
    (error) => error instanceof JsonError && error.code === code,
  );
}

/** What JSON.parse makes of it, with nested values replaced as the reader replaces them. */
function parsedByPlatform(text: string): Map<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(
    Object.entries(value).map(([name, member]) => [
      name,
      typeof member === "object" && member !== null ? nested : member,
    ]),
  );
}

const flatObject = fc.dictionary(
  fc.string({ unit: "binary" }),
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant([{}]),
  ),
  { maxKeys: 20 },
);

test("a JSON object is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(flatObject, fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);

      assert.deepEqual(readJsonObject(text), parsedByPlatform(text));
    }),
  );
});

test("a text is taken exactly when JSON.parse takes it as an object, duplicates aside", () => {
  const unit = fc.constantFrom(
    ..."{}[]:,.+-0123eE \n\\\"'",
    ..."tnu\u0001\u00e9",
    '"a"',
    '"b"',
    '"\\u0061"',
    '"\\x"',
    "true",
    "null",
    "-0",
    "1.5e+3",
    "01",
    "NaN",
    '{"a":',
    "[1,",
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 10 }), fc.boolean(), (inner, isWrapped) => {
      const text = isWrapped ? `{"z":${inner}}` : inner;
      try {
        const members = readJsonObject(text);

        assert.deepEqual(members, parsedByPlatform(text));
      } catch (error) {
        assert.ok(error instanceof JsonError, String(error));
        if (error.code === "json_malformed") assert.equal(parsedByPlatform(text), undefined, text);
      }
    }),
    { numRuns: 5000 },
  );
});

for (const [text, why] of [
  ['{"exp":1,"exp":2}', "side by side"],
  ['{"exp":1,"aud":"p","exp":1}', "with the same value"],
  ['{"exp":1,"\\u0065xp":2}', "behind an escape"],
  ['{"a":{"b":1,"b":2}}', "nested"],
  ['{"a":[{"b":1,"b":2}]}', "nested in an array"],
  ['{"__proto__":1,"__proto__":2}', "with a name of the language"],
] as const) {
  test(`duplicate members are refused ${why}`, () => {
    assertRefused(text, "json_member_duplicate");
  });
}

test("members of nested objects do not count as the outer object's", () => {
  const members = readJsonObject('{"a":{"exp":1},"exp":2}');

  assert.equal(members.get("exp"), 2);
  assert.equal(members.get("a"), nested);
});

test("nesting is taken to its maximum and no deeper", () => {
  const arrays = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;

  assert.equal(readJsonObject(arrays(jsonDepthMax - 1)).get("a"), nested);
  assertRefused(arrays(jsonDepthMax), "json_too_deep");
  assertRefused(`{"a":${"[".repeat(100_000)}`, "json_too_deep");
  assertRefused('{"a":'.repeat(100_000), "json_too_deep");
});

test("members and elements are taken to their maximum and no more", () => {
  const object = (count: number) => `{${Array.from({ length: count }, (_, i) => `"m${i}":0`).join(",")}}`;
  const array = (count: number) => `{"a":[${Array.from({ length: count }, () => "0").join(",")}]}`;

  assert.equal(readJsonObject(object(jsonValuesMax)).size, jsonValuesMax);
  assertRefused(object(jsonValuesMax + 1), "json_too_many");
  assert.equal(readJsonObject(array(jsonValuesMax - 1)).size, 1);
  assertRefused(array(jsonValuesMax), "json_too_many");
});

test("what is no object, or not only an object, is refused", () => {
  for (const text of [
    "",
    " ",
    "[]",
    '"a"',
    "1",
    "null",
    "{}{}",
    "{},",
    "\ufeff{}",
    "{",
    '{"a"',
    '{"a":1,}',
    "{a:1}",
    '{"a":"\t"}',
  ]) {
    assertRefused(text, "json_malformed");
  }
});

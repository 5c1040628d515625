import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  formatInstruction,
  type Instruction,
  type InstructionOrder,
  instructionBytesMax,
  instructionNumberMax,
  instructionSecondsMax,
  parseInstruction,
} from "./instruction.ts";
import { InstructionError, type InstructionErrorCode } from "./instruction-error.ts";

const device = "projects/mayfly/locations/here/registries/lamps/devices/lamp-0";
const base: Instruction = {
  number: 7,
  device,
  numId: "2876543210987654321",
  iat: 1_800_000_000,
  exp: 1_800_003_600,
  order: { scope: "use-key", slot: 1 },
};
const text = formatInstruction(base);

function refusal(given: string): {
  readonly code: InstructionErrorCode;
  readonly number: number | undefined;
} {
  try {
    parseInstruction(given);
  } catch (error) {
    assert.ok(error instanceof InstructionError, String(error));
    return { code: error.code, number: error.number };
  }
  assert.fail(`taken: ${given}`);
}

const slots = fc.integer({ min: 0, max: 255 });
const names = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const orders: fc.Arbitrary<InstructionOrder> = fc.oneof(
  slots.map((slot) => ({ scope: "use-key", slot }) as const),
  names.map((key) => ({ scope: "use-key", key }) as const),
  fc
    .tuple(slots, fc.uint8Array({ minLength: 20, maxLength: 20 }))
    .map(([slot, challenge]) => ({ scope: "offer-key", slot, challenge }) as const),
);
const instructions: fc.Arbitrary<Instruction> = fc
  .record({
    number: fc.integer({ min: 1, max: instructionNumberMax }),
    iat: fc.integer({ min: 1, max: 4_000_000_000 }),
    seconds: fc.integer({ min: 1, max: instructionSecondsMax }),
    campaign: fc.option(names, { nil: undefined }),
    order: orders,
  })
  .map(({ number, iat, seconds, campaign, order }) => {
    const whole = { ...base, number, iat, exp: iat + seconds, order };
    return campaign === undefined ? whole : { ...whole, campaign };
  });

test("what is written is read again, whatever is asked", () => {
  fc.assert(
    fc.property(instructions, (instruction) => {
      assert.deepEqual(parseInstruction(formatInstruction(instruction)), instruction);
    }),
  );
});

test("the longest names there are fit into the bound", () => {
  const place = "a".repeat(63);
  const id = "b".repeat(255);

  const longest = formatInstruction({
    number: instructionNumberMax,
    device: `projects/${place}/locations/${place}/registries/${id}/devices/${id}`,
    numId: "18446744073709551615",
    iat: 253_402_300_798,
    exp: 253_402_300_799,
    campaign: "c".repeat(64),
    order: { scope: "use-key", key: "k".repeat(64) },
  });

  assert.ok(longest.length <= instructionBytesMax, String(longest.length));
  assert.equal(refusal("x".repeat(instructionBytesMax + 1)).code, "instruction_too_large");
});

test("no truncation and no flipped bit is taken for the instruction, or throws another error", () => {
  for (let end = 0; end < text.length; end++) refusal(text.slice(0, end));
  for (let at = 0; at < text.length; at++) {
    for (let bit = 0; bit < 7; bit++) {
      const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << bit));
      const changed = text.slice(0, at) + flipped + text.slice(at + 1);
      try {
        // A digit or a letter may become another: then it is another instruction, in its own one form.
        assert.equal(formatInstruction(parseInstruction(changed)), changed);
      } catch (error) {
        assert.ok(error instanceof InstructionError, String(error));
      }
    }
  }
});

test("any text at all is an instruction or a typed refusal", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (anything) => {
      assert.match(refusal(anything).code, /^instruction_/);
    }),
  );
});

test("an instruction has one form: a space, an escape, a second member and another order are refused", () => {
  const others = [
    text.replace(",", ", "),
    text.replace("use-key", "use\\u002dkey"),
    text.replace('"slot":1', '"slot":2,"slot":1'),
    text.replace('"slot":1', '"slot":1,"also":1'),
    text.replace('"number":7,', "").replace("{", '{"number":7,'),
    text.replace(":7,", ":7.0,"),
    `${text}\n`,
  ];

  for (const other of others) {
    assert.notEqual(other, text);
    assert.equal(refusal(other).code, "instruction_malformed", other);
  }
});

test("an unknown scope is refused by that name, and its number is known", () => {
  const asked = text.replace('"use-key"', '"paint-yourself-blue"');

  assert.deepEqual(refusal(asked), { code: "instruction_scope_unknown", number: 7 });
});

test("an unknown version is refused by that name, before anything else of it is judged", () => {
  assert.deepEqual(refusal('{"version":2,"number":9,"what":[]}'), {
    code: "instruction_version_unknown",
    number: 9,
  });
});

test("members out of their ranges are refused, at the last that is within and the first that is not", () => {
  const last = (change: Partial<Instruction>) => formatInstruction({ ...base, ...change });

  assert.ok(last({ exp: base.iat + instructionSecondsMax }));
  for (const change of [
    { number: 0 },
    { number: instructionNumberMax + 1 },
    { number: 1.5 },
    { exp: base.iat },
    { exp: base.iat + instructionSecondsMax + 1 },
    { iat: 0 },
    { numId: "07" },
    { device: `${device}/more` },
    { device: device.replace("lamp-0", "12345") },
    { campaign: "" },
    { campaign: "c".repeat(65) },
    { campaign: "ä" },
    { order: { scope: "use-key", slot: 256 } },
    { order: { scope: "use-key", slot: -1 } },
    { order: { scope: "use-key", key: "" } },
    { order: { scope: "offer-key", slot: 1, challenge: new Uint8Array(19) } },
  ] as const satisfies readonly Partial<Instruction>[]) {
    assert.throws(() => last(change), { code: "instruction_malformed" }, JSON.stringify(change));
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Choice } from "../../packages/server/test/interleavings/choice.ts";
import { readCases } from "./cases.ts";
import { findFault, fuzz } from "./fuzzer.ts";
import { inputBytesMax, mutate } from "./mutate.ts";
import { plantedProgram } from "./planted.ts";
import { bytesOf, type FuzzTarget } from "./target.ts";
import { fuzzTargetNames, fuzzTargets } from "./targets/all.ts";

/** Some seconds together; what a target can do in one differs. */
const runsOf = { mqtt: 1_500, session: 1_000, token: 2_000, http: 800, names: 4_000 } as const;

test("the fuzzer finds a fault that only coverage leads to, and makes the input small", async () => {
  const target: FuzzTarget = {
    name: "planted",
    seeds: [bytesOf("nothing")],
    dictionary: [],
    run: plantedProgram,
    async close() {},
  };

  const { findings } = await fuzz(target, {
    seed: 7,
    goesOn: (runs, found) => found === 0 && runs < 200_000,
    counts: /planted\.ts$/,
  });

  assert.deepEqual(
    findings.map(({ message, input }) => [message, Buffer.from(input).toString("latin1")]),
    [["Error: found", "May"]],
  );
});

for (const name of fuzzTargetNames) {
  test(`no input breaks a promise of '${name}', in a short run from a fixed seed`, async () => {
    const target = await fuzzTargets[name]();

    const result = await fuzz(target, { seed: 1, goesOn: (runs) => runs < runsOf[name] });

    await target.close();
    assert.deepEqual(
      result.findings.map(({ message, input }) => [message, Buffer.from(input).toString("base64")]),
      [],
    );
    assert.ok(result.features > 100, `only ${result.features} features`);
    assert.ok(result.corpus > target.seeds.length, "nothing new was reached");
  });

  test(`what once broke a promise of '${name}' does so no more`, async () => {
    const target = await fuzzTargets[name]();

    const broken: string[] = [];
    for (const { was, input } of readCases(name)) {
      const fault = await findFault(target, Buffer.from(input, "base64"));
      if (fault !== undefined) broken.push(`${was}: ${fault.message}`);
    }

    await target.close();
    assert.deepEqual(broken, []);
  });
}

test("a run that takes longer than a second is a finding", async () => {
  const target: FuzzTarget = {
    ...{ name: "slow", seeds: [], dictionary: [] },
    async close() {},
    run() {
      const end = performance.now() + 1_010;
      while (performance.now() < end);
    },
  };

  assert.equal((await findFault(target, new Uint8Array()))?.message, "a run took longer than 1000 ms");
});

test("what an input is changed into shares no byte with it", () => {
  const choice = new Choice(5);
  const input = Buffer.from("as it was");

  for (let n = 0; n < 2_000; n++) mutate(input, input, [], choice).fill(0);

  assert.equal(input.toString(), "as it was");
});

test("no changed input is longer than 4,096 bytes", () => {
  const choice = new Choice(3);
  let input: Uint8Array = new Uint8Array(4_000).fill(65);
  let longest = 0;

  for (let n = 0; n < 5_000; n++) {
    const next = mutate(input, input, [new Uint8Array(100)], choice);
    longest = Math.max(longest, next.length);
    if (next.length > 3_000) input = next;
  }

  assert.equal(longest, inputBytesMax);
});

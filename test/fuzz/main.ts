/**
 * `npm run fuzz -- [--minutes M] [--target NAME]… [--seed N]`: fuzzes every target in turn, together for M minutes
 * (10 unless told otherwise), and ends with 1 where a promise broke. A finding is printed as a line for
 * `test/fuzz/cases/TARGET.json`.
 */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzzer.ts";
import { type FuzzTargetName, fuzzTargetNames, fuzzTargets } from "./targets/all.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    target: { type: "string", multiple: true, default: [...fuzzTargetNames] },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const names = values.target.map(targetNamed);
const millisEach = (Number(values.minutes) * 60_000) / names.length;
const seed = Number(values.seed);
if (!(millisEach > 0) || !Number.isSafeInteger(seed))
  throw new Error("--minutes is above 0, --seed a whole number");

console.log(`seed ${seed}, ${(millisEach / 60_000).toFixed(1)} min a target`);
let broken = 0;
for (const name of names) {
  const target = await fuzzTargets[name]();
  const endMillis = performance.now() + millisEach;
  const { runs, corpus, features, findings } = await fuzz(target, {
    seed,
    goesOn: () => performance.now() < endMillis,
  });
  await target.close();
  console.log(
    `${name.padEnd(8)} ${runs} runs, ${features} features, ${corpus} inputs kept, ${findings.length} findings`,
  );
  for (const { message, stack, input } of findings) {
    console.log(`  ${JSON.stringify({ was: message, input: Buffer.from(input).toString("base64") })}`);
    console.log(`  ${JSON.stringify(Buffer.from(input).toString("latin1").slice(0, 300))}`);
    console.log(stack.split("\n").slice(1, 6).join("\n"));
  }
  broken += findings.length;
}
process.exitCode = broken === 0 ? 0 : 1;

function targetNamed(text: string): FuzzTargetName {
  const name = fuzzTargetNames.find((one) => one === text);
  if (name === undefined) throw new Error(`--target is one of ${fuzzTargetNames.join(", ")}`);
  return name;
}

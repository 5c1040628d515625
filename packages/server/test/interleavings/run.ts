/**
 * Plays many seeds, or one again: `node packages/server/test/interleavings/run.ts --seeds 100000 --from 1`.
 *
 * The first that fails ends the run: its seed, the fewest steps that still fail, and the steps before the failure.
 */
import { parseArgs } from "node:util";
import { runSeed, type StoryEnd, stepsPerSeed } from "./run-seed.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "1000" }, from: { type: "string", default: "1" } },
});
const from = Number(values.from);
const count = Number(values.seeds);

let steps = 0;
for (let seed = from; seed < from + count; seed++) {
  const end = await runSeed(seed);
  steps += end.steps;
  if (end.failure !== undefined) {
    await report(seed, end);
    process.exitCode = 1;
    break;
  }
  if ((seed - from + 1) % 10_000 === 0) console.log(`${seed - from + 1} seeds, ${steps} steps`);
}
if (process.exitCode === undefined) console.log(`${count} seeds from ${from}, ${steps} steps: no breach`);

async function report(seed: number, first: StoryEnd): Promise<void> {
  let end = first;
  for (let max = 1; max <= stepsPerSeed; max++) {
    const shorter = await runSeed(seed, max);
    if (shorter.failure === undefined) continue;
    end = shorter;
    break;
  }
  const { failure } = end;
  if (failure === undefined) return;
  console.error(failure.story.join("\n"));
  console.error(failure.error);
  console.error(
    `step ${failure.step}; again: node packages/server/test/interleavings/run.ts --from ${seed} --seeds 1`,
  );
}

/**
 * Coverage-guided fuzzing of one target: an input that made new code run is kept and changed further.
 *
 * Inputs are run in groups, and coverage is asked for once a group; only a group with news is run again one by one
 * to find whose they are. A finding is made smaller before it is told. Everything comes from the seed but the time
 * it ends.
 */
import { Choice } from "../../packages/server/test/interleavings/choice.ts";
import { Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

const groupSize = 64;
/** Inputs kept; the oldest that is no seed makes room. */
export const corpusMax = 4_096;
/** No short input may keep the process longer. */
const runMillisMax = 1_000;
const shrinkTriesMax = 2_000;
/** Findings after which a target is left. */
export const findingsMax = 10;

export interface Finding {
  readonly message: string;
  readonly stack: string;
  readonly input: Uint8Array;
}

export interface FuzzResult {
  readonly runs: number;
  readonly corpus: number;
  /** Blocks of our code with the magnitude of their counts. */
  readonly features: number;
  readonly findings: readonly Finding[];
}

export interface FuzzOrder {
  readonly seed: number;
  /** Asked after each group, with the runs and the findings so far. */
  readonly goesOn: (runs: number, findings: number) => boolean;
  /** Which scripts count; absent: what we ship. */
  readonly counts?: RegExp;
}

export async function fuzz(target: FuzzTarget, order: FuzzOrder): Promise<FuzzResult> {
  const choice = new Choice(order.seed);
  const coverage = new Coverage(order.counts);
  const corpus = [...target.seeds];
  const findings = new Map<string, Finding>();
  let runs = 0;

  const run = async (input: Uint8Array) => {
    runs += 1;
    const found = await findFault(target, input);
    if (found === undefined || findings.has(found.message)) return;
    const small = await shrink(target, input, found.message);
    findings.set(found.message, { ...found, input: small });
  };

  for (const seed of target.seeds) await run(seed);
  coverage.takeNew();
  while (order.goesOn(runs, findings.size) && findings.size < findingsMax) {
    const group = Array.from({ length: groupSize }, () => nextInput(corpus, target, choice));
    for (const input of group) await run(input);
    if (coverage.takeNew() === 0) continue;
    for (const input of group) {
      await run(input);
      if (coverage.takeNew() > 0) keep(corpus, target.seeds.length, input);
    }
  }
  return { runs, corpus: corpus.length, features: coverage.size, findings: [...findings.values()] };
}

function keep(corpus: Uint8Array[], seeds: number, input: Uint8Array): void {
  corpus.push(input);
  if (corpus.length > corpusMax) corpus.splice(seeds, 1);
}

function nextInput(corpus: readonly Uint8Array[], { dictionary }: FuzzTarget, choice: Choice): Uint8Array {
  // The newest are the least explored.
  const newest = Math.min(corpus.length, 32);
  const index =
    choice.below(2) === 0 ? choice.below(corpus.length) : corpus.length - 1 - choice.below(newest);
  const empty = new Uint8Array();
  return mutate(corpus[index] ?? empty, choice.of(corpus), dictionary, choice);
}

/** Runs one input. @returns what it broke. */
export async function findFault(
  target: FuzzTarget,
  input: Uint8Array,
): Promise<Pick<Finding, "message" | "stack"> | undefined> {
  const begun = performance.now();
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof Error)) return { message: String(error), stack: "" };
    return { message: `${error.name}: ${error.message}`, stack: error.stack ?? "" };
  }
  if (performance.now() - begun <= runMillisMax) return undefined;
  return { message: `a run took longer than ${runMillisMax} ms`, stack: "" };
}

/** Cuts pieces out for as long as the same promise breaks. */
async function shrink(target: FuzzTarget, input: Uint8Array, message: string): Promise<Uint8Array> {
  let small = input;
  let tries = 0;
  for (let size = Math.ceil(small.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < small.length && tries < shrinkTriesMax; tries++) {
      const candidate = Buffer.concat([small.subarray(0, at), small.subarray(at + size)]);
      const found = await findFault(target, candidate);
      if (found?.message === message) small = candidate;
      else at += size;
    }
  }
  return small;
}

/**
 * `--fault KIND:WHEN` of `mayfly chip sim`: what goes wrong with the simulated chip, and how often or when.
 *
 * Left to others: which kinds there are (the simulator's `faults.ts`, loaded when a chip is started).
 */
import { InvalidArgumentError } from "commander";

/** Of one command line: there are ten kinds. */
const FAULTS_MAX = 10;
/** Far beyond what a chip lives. */
const OPPORTUNITY_MAX = 1_000_000_000;

/** A kind, and a share of its opportunities (0 to 1) or a span of them, the first being 1. */
export type Fault = readonly [kind: string, when: number | { readonly from: number; readonly until: number }];

/** For a flag that may be repeated. */
export function repeatedFault(text: string, earlier: readonly Fault[] = []): readonly Fault[] {
  if (earlier.length >= FAULTS_MAX)
    throw new InvalidArgumentError(`It may be given ${FAULTS_MAX} times at most.`);
  const fault = parseFault(text);
  if (earlier.some(([kind]) => kind === fault[0])) {
    throw new InvalidArgumentError(`The fault ${fault[0]} is given twice.`);
  }
  return [...earlier, fault];
}

function parseFault(text: string): Fault {
  const span = /^([a-z_]+):(\d{1,10})-(\d{1,10})$/.exec(text);
  if (span?.[1] !== undefined) {
    const [from, until] = [Number(span[2]), Number(span[3])];
    if (from >= 1 && from <= until && until <= OPPORTUNITY_MAX) return [span[1], { from, until }];
  }
  const share = /^([a-z_]+):([01](?:\.\d{1,9})?)$/.exec(text);
  if (share?.[1] !== undefined && Number(share[2]) <= 1) return [share[1], Number(share[2])];
  throw new InvalidArgumentError(
    "It must be KIND:SHARE, such as nack_storm:0.2, or KIND:FROM-UNTIL, such as ecc_fault:5-9.",
  );
}

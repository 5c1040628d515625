/**
 * Backoff: how long the agent waits after a failure, by its cause. Truncated exponential with full jitter.
 *
 * The wait is drawn evenly below a ceiling that doubles with each failure of the same cause, so that a fleet cut off
 * together comes back spread out. Causes count apart: a network that was away for an hour is no reason to wait long
 * after the first refusal. All counts begin anew only after a connection has held for a while: a bridge that accepts
 * us and drops us at once is not hammered.
 *
 * Left to others: which cause a failure has (`refusal.ts`), and a renewal's hurry (`supervisor.ts`).
 */
import type { Random } from "@mayfly/core";
import { drawShare } from "../token/renewal.ts";

/**
 * `network`: no link, no answer, or a link that broke. `busy`: the bridge has too much to do. `refused`: it did not
 * take the token. `protocol`: nothing the device does by itself will help soon. `kicked`: accepted and dropped again,
 * or another connection took our place. `no_key`: the key did not sign.
 */
export type BackoffCause = "network" | "busy" | "refused" | "protocol" | "kicked" | "no_key";

interface BackoffRow {
  /** Never less, whatever the draw. */
  readonly leastMillis: number;
  /** The ceiling after the first failure. */
  readonly firstMillis: number;
  /** The ceiling grows no higher. */
  readonly mostMillis: number;
}

/**
 * The first ceiling of `network` is what spreads a fleet whose bridge went away: a fifth of it comes back in a second.
 * A refusal costs a signature and a verification, so it starts slower and goes further; what only a person can mend is
 * asked seldom.
 */
export const backoffTable = {
  network: { leastMillis: 50, firstMillis: 5_000, mostMillis: 64_000 },
  busy: { leastMillis: 1_000, firstMillis: 5_000, mostMillis: 120_000 },
  refused: { leastMillis: 1_000, firstMillis: 4_000, mostMillis: 120_000 },
  protocol: { leastMillis: 60_000, firstMillis: 120_000, mostMillis: 600_000 },
  kicked: { leastMillis: 1_000, firstMillis: 5_000, mostMillis: 120_000 },
  no_key: { leastMillis: 250, firstMillis: 1_000, mostMillis: 60_000 },
} as const satisfies Record<BackoffCause, BackoffRow>;

/** A connection that held this long counts as stable; one that ends sooner was kicked. */
export const stableMillis = 30_000;
/** However long a bridge wants to be left alone. */
export const retryAfterMillisMax = 600_000;

/** Past every truncation of the table; counting on would end in an overflow. */
const failuresMax = 7;

export class Backoff {
  readonly #random: Random;
  #failures = noFailures();

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * Counts a failure.
   *
   * @param retryAfterMillis What the bridge asked for: the wait begins after it, so that those who were told the same
   *   do not come back as one.
   * @returns Milliseconds to wait before the next try.
   */
  next(cause: BackoffCause, retryAfterMillis = 0): number {
    const { leastMillis, firstMillis, mostMillis } = backoffTable[cause];
    const failures = this.#failures[cause];
    this.#failures[cause] = Math.min(failures + 1, failuresMax);
    const ceiling = Math.min(mostMillis, firstMillis * 2 ** failures);
    const drawn = leastMillis + drawShare(this.#random) * (ceiling - leastMillis);
    return Math.min(retryAfterMillis, retryAfterMillisMax) + drawn;
  }

  /** @param heldMillis How long we had been connected without a break when the connection ended. */
  connectionEnded(heldMillis: number): void {
    if (heldMillis >= stableMillis) this.#failures = noFailures();
  }
}

function noFailures(): Record<BackoffCause, number> {
  return { network: 0, busy: 0, refused: 0, protocol: 0, kicked: 0, no_key: 0 };
}

/**
 * How often a gateway may attach, and fail to.
 *
 * Counted under the gateway, which proved a key of its own: a counter under the name of the device would let a gateway
 * lock out devices it has nothing to do with (ADR 0010). Remembered beyond the connection, or a gateway would only have
 * to come again; a forgotten one has all of its allowance.
 */
import { BoundedMap } from "../auth/bounded-map.ts";
import { Allowance } from "./allowance.ts";
import {
  attachesAtOnceMax,
  attachesPerSecond,
  failedAttachesAtOnceMax,
  failedAttachesPerSecond,
  gatewayAllowancesMax,
} from "./limits.ts";

interface Allowances {
  readonly attaches: Allowance;
  readonly failures: Allowance;
}

export class AttachLimits {
  readonly #gateways = new BoundedMap<string, Allowances>(gatewayAllowancesMax);

  /** @returns whether an attach may be judged; it counts. @param gateway its numId. */
  mayAttach(gateway: string, nowMillis: number): boolean {
    const { attaches, failures } = this.#of(gateway);
    return failures.has(nowMillis) && attaches.take(nowMillis);
  }

  /** An attach was refused for what it showed. */
  failed(gateway: string, nowMillis: number): void {
    this.#of(gateway).failures.take(nowMillis);
  }

  #of(gateway: string): Allowances {
    const known = this.#gateways.find(gateway);
    if (known !== undefined) return known;
    const fresh = {
      attaches: new Allowance(attachesAtOnceMax, attachesPerSecond),
      failures: new Allowance(failedAttachesAtOnceMax, failedAttachesPerSecond),
    };
    this.#gateways.set(gateway, fresh);
    return fresh;
  }
}

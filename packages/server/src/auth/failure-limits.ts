/**
 * Failure limits: a source that makes us check signatures in vain is soon not worth a check any more.
 *
 * What is protected is time of the event loop (100 µs a check), nothing else: nobody guesses a P-256 signature.
 * So a limit may never cost what it protects, which is that honest devices get in:
 *
 * - Only failures cost, and only the source they came from (an IPv4 address, an IPv6 /64). Failing in a
 *   device's name from elsewhere changes nothing for the device: no counter is kept by name.
 * - Behind one address with an attacker, a device that proved a key from there before draws on a reserve of
 *   its own first, which only failures in its very name from its very source use up.
 * - A token that verified before needs no check, so no limit concerns it (`token-witness.ts`); nor does any
 *   concern a connection that proved a key already and renews.
 * - Over the limit a share of attempts is still checked, the refill; who has to wait, waits, and is not locked out.
 *
 * Maps can be filled: that of sources by whoever has many addresses, and then an old source is forgotten, which
 * forgives it. Reserves are made by proof of a key alone, a few for each device, so filling them takes as many
 * devices as they hold. A flood from thousands of sources is not what this bounds: its handshakes cost ten times
 * what its checks cost, and the caps on connections stand before it.
 *
 * Left uncovered, and known: a device that comes for the first time, with a token not seen before, from the same
 * source as a flood competes for the refill; so does one whose own name is flooded from its own source.
 */
import { BoundedMap } from "./bounded-map.ts";

/** Failed checks a source may spend at once, and each second: 50 ms of a core, then 1 %. */
export const sourceFailuresMax = 500;
export const sourceFailuresPerSecond = 100;
/** The same for a device that proved a key, at the source it proved it from. */
export const provenFailuresMax = 20;
export const provenFailuresPerSecond = 1;
/** Sources whose failures are remembered; some 150 bytes each. */
export const sourcesMax = 16_384;
/** Devices that have reserves, and sources of one device, the latest; some 300 bytes a device. */
export const provenDevicesMax = 65_536;
export const provenSourcesMax = 4;

/** So many failures may still be spent; refilled with time. */
interface Allowance {
  left: number;
  atMillis: number;
}

interface Reserve extends Allowance {
  readonly source: string;
}

export class FailureLimits {
  /** Only sources that failed: one that is not here has all of its allowance. */
  readonly #sources = new BoundedMap<string, Allowance>(sourcesMax);
  readonly #proven = new BoundedMap<string, readonly Reserve[]>(provenDevicesMax);

  get sizes(): { readonly sources: number; readonly provenDevices: number } {
    return { sources: this.#sources.size, provenDevices: this.#proven.size };
  }

  /**
   * May a signature be checked for this peer?
   * @param source where it is, as `sourceOf` has it.
   * @param device the numId of a known device, or the name of one that is not: both are treated alike.
   */
  mayCheck(source: string, device: string, nowMillis: number): boolean {
    const allowance = this.#sources.find(source);
    if (allowance === undefined || refilled(allowance, nowMillis, sourceLimit) >= 1) return true;
    const reserve = this.#findReserve(device, source);
    return reserve !== undefined && refilled(reserve, nowMillis, provenLimit) >= 1;
  }

  /** A check was spent and proved nothing. */
  failed(source: string, device: string, nowMillis: number): void {
    const reserve = this.#findReserve(device, source);
    if (reserve !== undefined && refilled(reserve, nowMillis, provenLimit) >= 1) {
      reserve.left -= 1;
      return;
    }
    const allowance = this.#sources.find(source) ?? { left: sourceFailuresMax, atMillis: nowMillis };
    allowance.left = Math.max(0, refilled(allowance, nowMillis, sourceLimit) - 1);
    this.#sources.set(source, allowance);
  }

  /** A key of the device that may verify signed what came from there. @param device its numId. */
  proved(source: string, device: string, nowMillis: number): void {
    const reserves = this.#proven.find(device) ?? [];
    if (reserves.at(-1)?.source === source) return;
    const known = reserves.find((reserve) => reserve.source === source);
    const latest = known ?? { source, left: provenFailuresMax, atMillis: nowMillis };
    const others = reserves.filter((reserve) => reserve !== known);
    this.#proven.set(device, [...others, latest].slice(-provenSourcesMax));
  }

  #findReserve(device: string, source: string): Reserve | undefined {
    return this.#proven.find(device)?.find((reserve) => reserve.source === source);
  }
}

interface Limit {
  readonly max: number;
  readonly perSecond: number;
}

const sourceLimit: Limit = { max: sourceFailuresMax, perSecond: sourceFailuresPerSecond };
const provenLimit: Limit = { max: provenFailuresMax, perSecond: provenFailuresPerSecond };

/** Brings an allowance up to now. @returns what is left of it. */
function refilled(allowance: Allowance, nowMillis: number, limit: Limit): number {
  const grown = ((nowMillis - allowance.atMillis) / 1000) * limit.perSecond;
  allowance.left = Math.min(limit.max, allowance.left + grown);
  allowance.atMillis = nowMillis;
  return allowance.left;
}

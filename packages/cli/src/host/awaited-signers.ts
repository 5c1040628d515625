/**
 * Signers in a chip that may not be there yet: unplugged, without power, or behind a bus that comes up late.
 *
 * A service that did not start for want of its chip would take no messages either, and would say nothing of what is
 * wrong. So it starts, signs nothing, and asks for the chip until it answers. From then on the chip may come and go.
 *
 * Left to others: the bus that is opened anew for each signature that needs it (`chip.ts`).
 */
import type { ChipPlace } from "../chip-flags.ts";
import { type LastingSigners, openLastingSigners } from "./chip.ts";
import { sleep } from "./clock.ts";
import type { SharedBuses } from "./shared-buses.ts";

/** Between two questions whether the chip is there. */
export const askChipMillis = 2_000;

export type ChipNews =
  | { readonly kind: "chip_missing"; readonly because: string }
  | { readonly kind: "chip_found" };

/** @param say Told once where the chip is not there at first, with its code, and once when it is. */
export async function openAwaitedSigners(
  place: ChipPlace & { readonly kind: "i2c" | "socket" },
  slots: readonly number[],
  buses: SharedBuses,
  say: (news: ChipNews) => void,
): Promise<LastingSigners> {
  const stop = new AbortController();
  let signers: LastingSigners | undefined;
  let failure: unknown;
  const ask = async (): Promise<void> => {
    try {
      signers = await openLastingSigners(place, slots, buses);
    } catch (error) {
      failure = error;
    }
  };
  const find = (slot: number) => signers?.keys.find((key) => key.slot === slot)?.signer;

  await ask();
  const waiting = signers === undefined ? keepAsking() : Promise.resolve();
  return {
    keys: slots.map((slot) => ({
      slot,
      signer: {
        get keyId() {
          return find(slot)?.keyId ?? `unread-slot-${slot}`;
        },
        async signDigest(digest) {
          const signer = find(slot);
          if (signer === undefined) throw failure;
          return await signer.signDigest(digest);
        },
      },
    })),
    async make(order) {
      if (signers === undefined) throw failure;
      return await signers.make(order);
    },
    async close() {
      stop.abort();
      await waiting;
      await signers?.close();
    },
  };

  async function keepAsking(): Promise<void> {
    say({ kind: "chip_missing", because: codeOf(failure) });
    while (signers === undefined && !stop.signal.aborted) {
      await sleep(askChipMillis, stop.signal);
      if (!stop.signal.aborted) await ask();
    }
    if (signers !== undefined) say({ kind: "chip_found" });
  }
}

/** A chip's or a bus's error has a code; of any other the name says enough for a log. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/**
 * The demo's ledger: which messages the bridge acknowledged, and which of them an application has received.
 *
 * A message is *lost* when the device has its PUBACK, so nobody will send it again, and the pull subscription
 * has not delivered it within the settle time. The sender's belief counts for nothing but the promise it was
 * given; the receiver's word decides. A message that comes later is no longer lost, and one that comes twice
 * counts once. What was sent and never acknowledged is not lost: nobody promised it.
 */
import { type SequenceRange, SequenceSet } from "./sequence-set.ts";

/** Acknowledged and not delivered yet, for one device. Beyond this many, the oldest are lost for good. */
export const UNDELIVERED_MAX = 100_000;

export interface Ledger {
  /** The agent has the PUBACK of these, in whatever order. Numbers told before are passed over. */
  acknowledged(device: string, ranges: readonly SequenceRange[], atMillis: number): void;
  /** The subscription gave this message out. */
  delivered(device: string, sequence: number): void;
  /** Messages lost by now. */
  lost(device: string, atMillis: number): number;
  /** Acknowledged and not delivered, of all devices: what a final wait is for. */
  undelivered(): number;
}

/** @param options `settleMillis`: how long an acknowledged message may take through the subscription. */
export function createLedger(options: { readonly settleMillis: number }): Ledger {
  const accounts = new Map<string, Account>();
  const accountOf = (device: string): Account => {
    let account = accounts.get(device);
    if (account === undefined) {
      account = {
        acknowledged: new SequenceSet(),
        delivered: new SequenceSet(),
        awaited: new Map(),
        givenUp: 0,
      };
      accounts.set(device, account);
    }
    return account;
  };

  return {
    acknowledged(device, ranges, atMillis) {
      const account = accountOf(device);
      for (const [first, last] of ranges) {
        for (let sequence = first; sequence <= last; sequence++) awaitDelivery(account, sequence, atMillis);
      }
    },
    delivered(device, sequence) {
      const account = accountOf(device);
      account.delivered.add(sequence);
      account.awaited.delete(sequence);
    },
    lost(device, atMillis) {
      const account = accountOf(device);
      let count = account.givenUp;
      // A Map keeps the order of insertion, which is the order of time: the first young one ends the count.
      for (const acknowledgedAt of account.awaited.values()) {
        if (atMillis - acknowledgedAt < options.settleMillis) break;
        count += 1;
      }
      return count;
    },
    undelivered() {
      let count = 0;
      for (const account of accounts.values()) count += account.awaited.size + account.givenUp;
      return count;
    },
  };
}

interface Account {
  readonly acknowledged: SequenceSet;
  readonly delivered: SequenceSet;
  /** Acknowledged, not delivered: sequence number → when the acknowledgement was told. */
  readonly awaited: Map<number, number>;
  /** Awaited ones that fell out at {@link UNDELIVERED_MAX}. */
  givenUp: number;
}

function awaitDelivery(account: Account, sequence: number, atMillis: number): void {
  if (!account.acknowledged.add(sequence)) return;
  // Delivery may well be faster than the agent's next report.
  if (account.delivered.has(sequence)) return;
  account.awaited.set(sequence, atMillis);
  if (account.awaited.size <= UNDELIVERED_MAX) return;
  const [oldest] = account.awaited.keys();
  if (oldest !== undefined) account.awaited.delete(oldest);
  account.givenUp += 1;
}

/** Two observers of one bridge as one, each told everything in this order. */
import type { BridgeObserver } from "../mqtt/observer.ts";

export function combineObservers(first: BridgeObserver, second: BridgeObserver): BridgeObserver {
  return {
    verified(facts) {
      first.verified(facts);
      second.verified(facts);
    },
    connected(facts) {
      first.connected(facts);
      second.connected(facts);
    },
    connectRefused(facts) {
      first.connectRefused(facts);
      second.connectRefused(facts);
    },
    disconnected(facts) {
      first.disconnected(facts);
      second.disconnected(facts);
    },
    published(facts) {
      first.published(facts);
      second.published(facts);
    },
    acknowledged(facts) {
      first.acknowledged(facts);
      second.acknowledged(facts);
    },
    notStored(facts) {
      first.notStored(facts);
      second.notStored(facts);
    },
    sent(facts) {
      first.sent(facts);
      second.sent(facts);
    },
  };
}

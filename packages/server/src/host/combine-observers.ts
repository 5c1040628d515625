/** Two observers as one, each told everything in this order. */
import type { DeviceApiObserver } from "../http/device-observer.ts";
import type { BridgeObserver } from "../mqtt/observer.ts";

type Observer = BridgeObserver & DeviceApiObserver;

export function combineObservers(first: Observer, second: Observer): Observer {
  return {
    verified(facts) {
      first.verified(facts);
      second.verified(facts);
    },
    attempted(facts) {
      first.attempted(facts);
      second.attempted(facts);
    },
    alarm(facts) {
      first.alarm(facts);
      second.alarm(facts);
    },
    connected(facts) {
      first.connected(facts);
      second.connected(facts);
    },
    connectRefused(facts) {
      first.connectRefused(facts);
      second.connectRefused(facts);
    },
    renewed(facts) {
      first.renewed(facts);
      second.renewed(facts);
    },
    renewalRefused(facts) {
      first.renewalRefused(facts);
      second.renewalRefused(facts);
    },
    disconnected(facts) {
      first.disconnected(facts);
      second.disconnected(facts);
    },
    attached(facts) {
      first.attached(facts);
      second.attached(facts);
    },
    attachRefused(facts) {
      first.attachRefused(facts);
      second.attachRefused(facts);
    },
    detached(facts) {
      first.detached(facts);
      second.detached(facts);
    },
    gatewayError(facts) {
      first.gatewayError(facts);
      second.gatewayError(facts);
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
    requestAnswered(facts) {
      first.requestAnswered(facts);
      second.requestAnswered(facts);
    },
    requestRefused(facts) {
      first.requestRefused(facts);
      second.requestRefused(facts);
    },
  };
}

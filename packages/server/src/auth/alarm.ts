/**
 * Alarms: what the bridge saw that a person should look at. An alarm tells; it never blocks anybody.
 *
 * The kinds are a closed set, fit for a metric's label. Who raises one also limits how often (once in
 * {@link alarmIntervalMillis} per device and kind), so that a peer can't fill a log with them.
 */
import type { DeviceName } from "@mayfly/core";

export const alarmKinds = ["takeover_storm", "shared_key", "token_reused", "forked_series"] as const;

/**
 * `takeover_storm`: one device's session changes hands again and again. `shared_key`: one key is used from two
 * networks in turn. `token_reused`: a token of one device came under the name of another. `forked_series`: the
 * tokens of one key come from two clocks.
 */
export type AlarmKind = (typeof alarmKinds)[number];

/** Least time between two alarms of one kind about one device. */
export const alarmIntervalMillis = 600_000;

export interface AlarmFacts {
  readonly kind: AlarmKind;
  readonly device: DeviceName;
  /** Where the peers came from: the one known longer first. */
  readonly addresses: readonly string[];
  readonly keyId?: string;
  /** The name a token of `device` came under. */
  readonly otherDevice?: DeviceName;
}

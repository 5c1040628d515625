/**
 * Time of a machine whose clock somebody else keeps (chronyd, systemd-timesyncd, a hypervisor): taken at its word once
 * it is past the date of the build.
 *
 * That is enough to catch a machine that started in 1970, and not enough to catch one that is an hour off.
 *
 * Left to others: a device that keeps time by itself (`time-keeper.ts`).
 */
import type { Clock, NumericDate, Timers } from "@mayfly/core";
import type { DeviceTime } from "../ports.ts";

/** @param trust `floorSeconds`: no earlier time is believed, default none. `uncertaintySeconds`: default 0. */
export function clockTime(
  ports: { readonly clock: Pick<Clock, "wallSeconds">; readonly timers: Timers },
  trust: { readonly floorSeconds?: NumericDate; readonly uncertaintySeconds?: number } = {},
): DeviceTime {
  const { floorSeconds = 0, uncertaintySeconds = 0 } = trust;
  return {
    readiness() {
      const now = ports.clock.wallSeconds();
      if (now >= floorSeconds) return { kind: "ready", now, uncertaintySeconds };
      return { kind: "waiting", because: "the system clock is behind the date of the build" };
    },
    uncertaintySecondsAt: () => uncertaintySeconds,
    // The clock is not ours to set.
    correct(_hint, settle) {
      ports.timers.after(0, () => settle("unchanged"));
    },
  };
}

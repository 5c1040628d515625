/**
 * Presence in words: for people who look at one device, and for those who watch many.
 */
import type { PresenceLine, PresenceView } from "@mayfly/core/admin";

/** `online since 2026-01-31T12:00:00.000Z (connected)`; undefined of a device that was never online. */
export function describePresence(presence: PresenceView | undefined): string | undefined {
  if (presence === undefined) return undefined;
  const { state, since, because, gatewayId, lostTime } = presence;
  const through = gatewayId === undefined ? "" : ` through ${gatewayId}`;
  const lost = lostTime === undefined ? "" : `; its connection is gone since ${lostTime}`;
  return `${state === "ONLINE" ? "online" : "offline"} since ${since}${through} (${because})${lost}`;
}

/** A line of the stream; undefined for those that only programs need. */
export function describePresenceLine(line: PresenceLine): string | undefined {
  switch (line.kind) {
    case "snapshot":
      return `${line.online} online, then each change:`;
    case "state":
      return `${line.state.since}  ${line.state.deviceId}  ${describePresence(line.state)}`;
    case "change":
      return `${line.change.time}  ${line.change.deviceId}  ${describePresence(line.change)}`;
    case "current":
      return undefined;
  }
}

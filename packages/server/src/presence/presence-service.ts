/**
 * Presence as the rest of the bridge has it: what arrives and leaves goes in, states and events come out.
 *
 * A device's state is the book's while it is online, else the registry's record of it. The record is written behind,
 * and a process that was killed leaves it as it was: one that says "online" of a device that is not is corrected, from
 * what was told last, else by what is certain, that nobody was connected when this process began.
 */
import type { Clock, Random, Timers } from "@mayfly/core";
import type { DeviceRecord } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { Presence, PresentDevice } from "./presence.ts";
import { PresenceBook } from "./presence-book.ts";
import { PresenceHistory } from "./presence-history.ts";

export interface PresenceService {
  readonly book: PresenceBook;
  readonly history: PresenceHistory;
  /** @returns undefined for a device that was never online. */
  of(record: DeviceRecord): Presence | undefined;
  /** Tells everybody offline, and listens to the registry no more. After the bridge has closed. */
  close(): void;
}

export function createPresence(ports: {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly registry: Pick<RegistryStore, "recordActivity" | "onChange">;
}): PresenceService {
  const startedMs = Math.floor(ports.clock.wallSeconds() * 1000);
  const history = new PresenceHistory(ports.random);
  const book = new PresenceBook({ ...ports, tell: history.append.bind(history) });
  const stop = ports.registry.onChange(({ kind, registry, deviceId }) => {
    if (kind === "device_deleted" && deviceId !== undefined) book.removed({ ...registry, device: deviceId });
  });
  return {
    book,
    history,
    of(record) {
      const device = presentDeviceOf(record);
      const recorded = record.activity.presence;
      const present = book.find(device);
      if (present !== undefined || recorded === undefined || recorded.state === "offline") {
        return present ?? recorded;
      }
      const told = history.last(device);
      if (told?.state === "offline") return told;
      return { state: "offline", sinceMs: startedMs, because: "bridge_restarted" };
    },
    close() {
      stop();
      book.close();
    },
  };
}

function presentDeviceOf({ project, location, registry, deviceId, numId }: DeviceRecord): PresentDevice {
  return { registry: { project, location, registry }, deviceId, deviceNumId: numId };
}

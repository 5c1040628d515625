/**
 * Presence after a start: who was left on record as online by a process that was killed is offline.
 *
 * Nobody was connected while the bridge began, so what the record says is wrong for whoever has not come back by the
 * time it is read. When exactly the connection broke is unknown: at the latest when this process began. Readers are
 * told the same before the record is set right ({@link PresenceService.of}), so this may take its time.
 */
import type { Timers } from "@mayfly/core";
import type { RegistryRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { PresenceService } from "./presence-service.ts";

/** Devices read at once. */
export const rebuildPageSize = 100;
/** Between two pages: a store may answer at once, and a large registry is no reason to keep connections waiting. */
export const rebuildPauseMillis = 50;

/** @returns how many records were wrong. Rejects with the store's error; what was set right stays so. */
export async function rebuildPresence(
  ports: {
    readonly registry: Pick<RegistryStore, "listRegistries" | "listDevices" | "recordActivity">;
    readonly presence: Pick<PresenceService, "of">;
    readonly timers: Timers;
  },
  project: string,
  isStopped: () => boolean,
): Promise<number> {
  let mended = 0;
  const pause = () => new Promise<void>((done) => ports.timers.after(rebuildPauseMillis, done));
  const registries = pages(pause, (token) =>
    ports.registry.listRegistries({ project }, { size: 100, ...token }),
  );
  for await (const registry of registries) {
    const ref: RegistryRef = registry;
    const devices = pages(pause, (token) =>
      ports.registry.listDevices(ref, { size: rebuildPageSize, ...token }),
    );
    for await (const record of devices) {
      if (isStopped()) return mended;
      const presence = ports.presence.of(record);
      if (presence?.because !== "bridge_restarted" || record.activity.presence?.state !== "online") continue;
      const { project, location, registry, deviceId: device } = record;
      ports.registry.recordActivity({
        device: { project, location, registry, device },
        activity: { presence },
      });
      mended += 1;
    }
  }
  return mended;
}

async function* pages<T>(
  pause: () => Promise<void>,
  read: (from: { readonly token?: string }) => Promise<{
    readonly items: readonly T[];
    readonly nextPageToken?: string;
  }>,
): AsyncGenerator<T, void, void> {
  let from: { readonly token?: string } = {};
  for (;;) {
    const { items, nextPageToken } = await read(from);
    yield* items;
    if (nextPageToken === undefined) return;
    await pause();
    from = { token: nextPageToken };
  }
}

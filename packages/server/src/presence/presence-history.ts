/**
 * The last events of presence, numbered, for readers that come, go and come back.
 *
 * One ring for all readers: each has a place in it and reads at its own pace, so a slow one costs no memory and holds
 * up nobody. Who falls behind by more than the ring holds, or was away over a restart of the bridge, finds that its
 * place is gone and begins anew with who is online now: that says as much, since who is not among them is offline.
 */
import type { Random } from "@mayfly/core";
import { hexEncode } from "@mayfly/core";
import type { RegistryRef } from "../registry/model.ts";
import { type Presence, type PresenceEvent, type PresentDevice, presenceEventsKept } from "./presence.ts";

/** A place between two events. */
export interface PresencePlace {
  /** Of this process; another one begins with another. */
  readonly epoch: string;
  /** Of the last event before it, 0 for none. */
  readonly sequence: number;
}

export class PresenceHistory {
  readonly #kept: number;
  readonly #epoch: string;
  readonly #ring: PresenceEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #sequence = 0;

  constructor(random: Random, kept = presenceEventsKept) {
    this.#kept = kept;
    this.#epoch = hexEncode(random.fill(new Uint8Array(8)));
  }

  /** Behind the last event. */
  get end(): PresencePlace {
    return { epoch: this.#epoch, sequence: this.#sequence };
  }

  append(device: PresentDevice, presence: Presence, atMs: number): void {
    this.#sequence += 1;
    this.#ring[this.#sequence % this.#kept] = { sequence: this.#sequence, atMs, device, presence };
    for (const listener of this.#listeners) listener();
  }

  /** Whether nothing is missing between `place` and now. */
  holds({ epoch, sequence }: PresencePlace): boolean {
    return epoch === this.#epoch && sequence <= this.#sequence && this.#sequence - sequence <= this.#kept;
  }

  /** The first event of a registry behind `sequence`. Only of a place that this history {@link holds}. */
  next(registry: RegistryRef, sequence: number): PresenceEvent | undefined {
    for (let at = sequence + 1; at <= this.#sequence; at++) {
      const event = this.#ring[at % this.#kept];
      if (event !== undefined && isSame(event.device.registry, registry)) return event;
    }
    return undefined;
  }

  /** What was told of a device last, as far as it is kept. */
  last({ registry, deviceId, deviceNumId }: PresentDevice): Presence | undefined {
    for (let at = this.#sequence; at > 0 && at > this.#sequence - this.#kept; at--) {
      const event = this.#ring[at % this.#kept];
      const device = event?.device;
      if (device?.deviceNumId !== deviceNumId || device.deviceId !== deviceId) continue;
      if (isSame(device.registry, registry)) return event?.presence;
    }
    return undefined;
  }

  /** @param listener hears that there is more to read. @returns what ends that. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function isSame(a: RegistryRef, b: RegistryRef): boolean {
  return a.registry === b.registry && a.location === b.location && a.project === b.project;
}

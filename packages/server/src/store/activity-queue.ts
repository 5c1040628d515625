/**
 * Last-seen facts on their way to the store: many updates of a device become one write.
 *
 * A busy device reports a hundred times a second and is written once in two seconds. The queue holds one
 * entry per device and at most {@link ACTIVITY_DEVICES_MAX} of them; beyond that the device that was updated
 * longest ago is forgotten, since losing "last seen" is cheaper than losing memory.
 */
import type { DeviceActivity, DeviceRef } from "../registry/model.ts";
import type { ActivityUpdate } from "../registry/store.ts";
import { ACTIVITY_DEVICES_MAX } from "./bounds.ts";

/** The newer fact wins, field by field; an error replaces the former error whole, so that texts never mix. */
export function mergeActivity(older: DeviceActivity, newer: DeviceActivity): DeviceActivity {
  if (newer.errorMs === undefined) return { ...older, ...newer };
  const { errorMs: _ms, errorCode: _code, errorMessage: _message, ...rest } = older;
  return { ...rest, ...newer };
}

export class ActivityQueue {
  readonly #devicesMax: number;
  readonly #waiting = new Map<string, ActivityUpdate>();
  /** Devices whose facts were dropped because the queue was full. */
  dropped = 0;

  constructor(devicesMax = ACTIVITY_DEVICES_MAX) {
    this.#devicesMax = devicesMax;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(update: ActivityUpdate): void {
    const path = pathOf(update.device);
    const before = this.#waiting.get(path);
    // Deleting first moves the device to the end: the map's order is the order of the last update.
    if (before !== undefined) this.#waiting.delete(path);
    const activity = before === undefined ? update.activity : mergeActivity(before.activity, update.activity);
    this.#waiting.set(path, { device: update.device, activity });
    if (this.#waiting.size > this.#devicesMax) this.#dropOldest();
  }

  /** Facts that could not be written come back, behind whatever was learned since. */
  giveBack(updates: readonly ActivityUpdate[]): void {
    for (const update of updates) {
      const path = pathOf(update.device);
      const newer = this.#waiting.get(path);
      if (newer !== undefined) {
        this.#waiting.set(path, {
          device: update.device,
          activity: mergeActivity(update.activity, newer.activity),
        });
      } else if (this.#waiting.size < this.#devicesMax) this.#waiting.set(path, update);
      else this.dropped += 1;
    }
  }

  /** Takes at most `max` devices out, longest waiting first. */
  take(max: number): readonly ActivityUpdate[] {
    const taken: ActivityUpdate[] = [];
    for (const [path, update] of this.#waiting) {
      if (taken.length >= max) break;
      taken.push(update);
      this.#waiting.delete(path);
    }
    return taken;
  }

  #dropOldest(): void {
    for (const path of this.#waiting.keys()) {
      this.#waiting.delete(path);
      this.dropped += 1;
      return;
    }
  }
}

function pathOf(device: DeviceRef): string {
  return `${device.project}/${device.location}/${device.registry}/${device.device}`;
}

/**
 * Rates per device: how much one device may send and be sent a second, as its registry's policy says.
 *
 * Buckets under the device's numId, shared by both bridges, so that nobody gets two allowances by speaking both. They
 * hold two seconds' worth of states and configs, since a timer of one second is never exact, and one second's worth of
 * the rest; a message above a second's worth of bytes goes from a full bucket and leaves it owing. A device whose buckets are all full is forgotten, and a policy of 0 costs one comparison.
 *
 * Left to others: what being over the rate means, which is to wait, to be told or to be cut off (`mqtt/`, `http/`).
 */
import type { Clock } from "@mayfly/core";
import type { RegistryPolicy } from "@mayfly/core/token";

/** Devices remembered at once, some 200 bytes each. Above it the one longest here begins anew with full buckets. */
export const ratedDevicesMax = 65_536;

/** Whose allowance it is: a proxied device's own, not its gateway's. */
export interface RatedDevice {
  readonly deviceNumId: string;
  readonly policy: RegistryPolicy;
}

const limits = {
  messages: { field: "messagesPerSecond", burstSeconds: 1 },
  bytes: { field: "bytesPerSecond", burstSeconds: 1 },
  states: { field: "statesPerSecond", burstSeconds: 2 },
  configs: { field: "configsPerSecond", burstSeconds: 2 },
  commands: { field: "commandsPerSecond", burstSeconds: 1 },
} as const satisfies Record<string, { readonly field: keyof RegistryPolicy; readonly burstSeconds: number }>;

type Limit = keyof typeof limits;

interface Bucket {
  level: number;
  atMillis: number;
}

interface Buckets {
  readonly of: Map<Limit, Bucket>;
  /** From this instant on all of them are full. */
  fullMillis: number;
}

export class DeviceRates {
  readonly #clock: Pick<Clock, "monotonicMillis">;
  readonly #devicesMax: number;
  readonly #devices = new Map<string, Buckets>();

  constructor(clock: Pick<Clock, "monotonicMillis">, devicesMax = ratedDevicesMax) {
    this.#clock = clock;
    this.#devicesMax = devicesMax;
  }

  /** Devices remembered. */
  get size(): number {
    return this.#devices.size;
  }

  /** @returns 0: it may go, and is counted. Else the milliseconds until it may, and nothing is counted. */
  takeMessage(device: RatedDevice, payloadBytes: number): number {
    const { messagesPerSecond, bytesPerSecond } = device.policy;
    if (messagesPerSecond === 0 && bytesPerSecond === 0) return 0;
    const wait = Math.max(this.#waitFor(device, "messages", 1), this.#waitFor(device, "bytes", payloadBytes));
    if (wait === 0) this.chargeMessage(device, payloadBytes);
    return wait;
  }

  /** Counts a message that goes whatever the rate: the device owes it. */
  chargeMessage(device: RatedDevice, payloadBytes: number): void {
    this.#charge(device, "messages", 1);
    this.#charge(device, "bytes", payloadBytes);
  }

  /** @returns as for {@link takeMessage}. A state is a message too, and is counted there as well. */
  takeState(device: RatedDevice): number {
    return this.#take(device, "states");
  }

  /** A change of the device's config. */
  takeConfig(device: RatedDevice): number {
    return this.#take(device, "configs");
  }

  /** A command to the device. */
  takeCommand(device: RatedDevice): number {
    return this.#take(device, "commands");
  }

  #take(device: RatedDevice, limit: Limit): number {
    const wait = this.#waitFor(device, limit, 1);
    if (wait === 0) this.#charge(device, limit, 1);
    return wait;
  }

  #waitFor({ deviceNumId, policy }: RatedDevice, limit: Limit, amount: number): number {
    const perSecond = policy[limits[limit].field];
    if (perSecond === 0) return 0;
    const bucket = this.#devices.get(deviceNumId)?.of.get(limit);
    if (bucket === undefined) return 0;
    this.#fill(bucket, limit, perSecond);
    const missing = Math.min(amount, burstOf(limit, perSecond)) - bucket.level;
    return missing <= 0 ? 0 : Math.ceil((missing * 1000) / perSecond);
  }

  #charge({ deviceNumId, policy }: RatedDevice, limit: Limit, amount: number): void {
    const perSecond = policy[limits[limit].field];
    if (perSecond === 0) return;
    const buckets = this.#devices.get(deviceNumId) ?? this.#remember(deviceNumId);
    let bucket = buckets.of.get(limit);
    if (bucket === undefined) {
      bucket = { level: burstOf(limit, perSecond), atMillis: this.#clock.monotonicMillis() };
      buckets.of.set(limit, bucket);
    } else this.#fill(bucket, limit, perSecond);
    bucket.level -= amount;
    const fullMillis = bucket.atMillis + ((burstOf(limit, perSecond) - bucket.level) * 1000) / perSecond;
    buckets.fullMillis = Math.max(buckets.fullMillis, fullMillis);
  }

  #fill(bucket: Bucket, limit: Limit, perSecond: number): void {
    const nowMillis = this.#clock.monotonicMillis();
    const filled = bucket.level + ((nowMillis - bucket.atMillis) * perSecond) / 1000;
    bucket.level = Math.min(burstOf(limit, perSecond), filled);
    bucket.atMillis = nowMillis;
  }

  #remember(deviceNumId: string): Buckets {
    this.#forgetSome();
    const buckets: Buckets = { of: new Map(), fullMillis: 0 };
    this.#devices.set(deviceNumId, buckets);
    return buckets;
  }

  /** For each device that comes, the two longest here are looked at: who has rested goes, who has not moves to the end. */
  #forgetSome(): void {
    const nowMillis = this.#clock.monotonicMillis();
    const oldest = [...take(this.#devices, 2)];
    for (const [deviceNumId, buckets] of oldest) {
      this.#devices.delete(deviceNumId);
      if (buckets.fullMillis > nowMillis) this.#devices.set(deviceNumId, buckets);
    }
    for (const [deviceNumId] of take(this.#devices, 1)) {
      if (this.#devices.size >= this.#devicesMax) this.#devices.delete(deviceNumId);
    }
  }
}

function burstOf(limit: Limit, perSecond: number): number {
  return limits[limit].burstSeconds * perSecond;
}

function* take<T>(all: Iterable<T>, count: number): Generator<T> {
  let left = count;
  if (left === 0) return;
  for (const one of all) {
    yield one;
    left -= 1;
    if (left === 0) return;
  }
}

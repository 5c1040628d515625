/**
 * The I2C buses of one program, each opened once: what sits on a bus together shares it.
 *
 * A simulator serves one host at a time, so a second connection to it would wait for ever. Who needs a bus takes a share
 * of it; the last share that is given back closes it. A bus that failed is let go of by all at once: each hears of it at
 * its next transaction, and the next who takes a share opens it anew.
 *
 * Left to others: when to try again (`chip.ts`, `agent-time.ts`).
 */
import { resolve } from "node:path";
import type { ChipTime, I2cBus } from "@mayfly/secure-element";
import { monotonicMillis } from "./clock.ts";

export interface BusPlace {
  readonly kind: "i2c" | "socket";
  /** `/dev/i2c-1`; a socket's path or `host:port`. */
  readonly bus: string;
}

export interface OpenBus {
  readonly bus: I2cBus;
  /** The time of the chips on it. */
  readonly time: ChipTime;
  close(): Promise<void>;
}

interface Shared {
  readonly opened: Promise<OpenBus>;
  shares: number;
}

export class SharedBuses {
  readonly #shared = new Map<string, Shared>();
  readonly #realTimeName: string | undefined;

  /** @param clockChip Where a clock chip sits: a simulator behind that socket keeps this machine's time. */
  constructor(clockChip?: BusPlace) {
    this.#realTimeName = clockChip && nameOf(clockChip);
  }

  /** @throws {BusError} (rejects) There is no such bus. */
  async open(place: BusPlace): Promise<OpenBus> {
    const name = nameOf(place);
    const shared = this.#shared.get(name) ?? this.#begin(name, place);
    shared.shares += 1;
    let isMine = true;
    const { bus, time } = await shared.opened;
    const use = async <T>(run: () => Promise<T>): Promise<T> => {
      try {
        return await run();
      } catch (error) {
        await this.#letGo(name, shared);
        throw error;
      }
    };
    return {
      bus: {
        write: (address, bytes) => use(() => bus.write(address, bytes)),
        read: (address, length) => use(() => bus.read(address, length)),
        wake: () => use(() => bus.wake()),
      },
      time,
      close: async () => {
        if (!isMine) return;
        isMine = false;
        shared.shares -= 1;
        if (shared.shares === 0) await this.#letGo(name, shared);
      },
    };
  }

  #begin(name: string, place: BusPlace): Shared {
    const opened =
      place.kind === "i2c" ? openLinux(place.bus) : openSocket(place.bus, name === this.#realTimeName);
    const shared: Shared = { opened, shares: 0 };
    this.#shared.set(name, shared);
    // Who waits for it hears of it; the next one tries anew.
    opened.catch(() => this.#shared.delete(name));
    return shared;
  }

  async #letGo(name: string, shared: Shared): Promise<void> {
    if (this.#shared.get(name) !== shared) return;
    this.#shared.delete(name);
    await (await shared.opened).close();
  }
}

/** One bus by two spellings of its path is one bus. */
function nameOf({ kind, bus }: BusPlace): string {
  return `${kind} ${resolve(bus)}`;
}

async function openLinux(device: string): Promise<OpenBus> {
  const { openLinuxI2cBus, systemChipTime } = await import("@mayfly/secure-element/node");
  const bus = await openLinuxI2cBus(device);
  return { bus, time: systemChipTime(), close: () => bus.close() };
}

async function openSocket(where: string, isRealTime: boolean): Promise<OpenBus> {
  const { openSocketBus } = await import("@mayfly/secure-element/node");
  // In real time a chip's waits are ours, and keep nobody else from the bus.
  const bus = await openSocketBus(where, { time: isRealTime ? "real" : "virtual" });
  const close = async (): Promise<void> => bus.close();
  if (isRealTime) return { bus, time: bus.time, close };
  const openedAt = monotonicMillis();
  return {
    bus,
    // The wait is the simulator's, whichever time it keeps. Between two waits a simulator in real time goes on
    // without us, one in virtual time does not: the later of the two clocks is never behind the chip's.
    time: {
      monotonicMillis: () => Math.max(monotonicMillis() - openedAt, bus.time.monotonicMillis()),
      delayMicros: (micros) => bus.time.delayMicros(micros),
    },
    close,
  };
}

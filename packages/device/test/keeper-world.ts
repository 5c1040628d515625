/**
 * A device that keeps its time, in virtual time: a clock chip simulated register by register, servers that speak NTP,
 * the bridge's own answerer of signed time. Everything of the device is the product's; only the way between is the test's.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import type { NumericDate } from "@mayfly/core";
import { createTimeAnswerer } from "@mayfly/server";
import { makeTimeKeyFile, makeTimeRoot, parseTimeKeyFile, pointOf } from "@mayfly/server/node";
import { nodeSha256 } from "../src/host/node/system-ports.ts";
import { nodeTimeVerifier } from "../src/host/node/time-verifier.ts";
import { createMemoryStore } from "../src/memory-store.ts";
import type { I2cBus, SmallStore } from "../src/ports.ts";
import { Ds3231 } from "../src/time/ds3231/ds3231.ts";
import { createDs3231Sim, type Ds3231Sim, type Ds3231SimOptions } from "../src/time/ds3231/sim/ds3231-sim.ts";
import { SignedTimeClient } from "../src/time/signed/signed-time-client.ts";
import { SntpClient } from "../src/time/sntp/sntp-client.ts";
import {
  createTimeKeeper,
  type TimeKeeper,
  type TimeKeeperOptions,
  type TimeKeeperPorts,
} from "../src/time/time-keeper.ts";
import type { TimeEvent } from "../src/time/time-status.ts";
import { DatagramWorld } from "./datagram-world.ts";
import { ntpAnswer } from "./ntp-answers.ts";

export const daySeconds = 86_400;
export const dayMillis = 86_400_000;
export const hourMillis = 3_600_000;

/** No time spent on a bus that is as fast as this: the world's time is the only one. */
const instantHz = 1e12;

export interface WorldDesign {
  readonly startSeconds?: NumericDate;
  /** The clock chip, if there is one; `aheadSeconds`: how far it is ahead of the truth. Default: 2 ppm fast. */
  readonly rtc?: (Omit<Ds3231SimOptions, "startsAtSeconds"> & { readonly aheadSeconds?: number }) | "none";
  /** How many servers; default 3. */
  readonly servers?: number;
  /** Whether the bridge signs time; default "no". */
  readonly signed?: "yes" | "no";
  /** How much the device's crystal is off; default 30 ppm. */
  readonly monotonicPpm?: number;
}

export class KeeperWorld {
  readonly net: DatagramWorld;
  readonly sim: Ds3231Sim;
  readonly store: SmallStore = createMemoryStore();
  readonly events: TimeEvent[] = [];
  /** When what was written to the store, true time. */
  readonly writes: number[] = [];
  /** How far each server's clock is off; "silent": no answer. */
  readonly lies: (number | "silent")[];
  /** How far the bridge's clock is off. */
  bridgeLie: number | "silent" = 0;
  isStoreFull = false;
  readonly #design: WorldDesign;
  readonly #root = makeTimeRoot();
  readonly #pin = pointOf(createPublicKey(this.#root.publicPem));
  #bootMillis = 0;

  constructor(seed: string, design: WorldDesign = {}) {
    this.#design = design;
    const { startSeconds } = design;
    this.net = new DatagramWorld(seed, {
      ...(startSeconds === undefined ? undefined : { startSeconds }),
      // The driver awaits more than once between two timers.
      settlePromises: () => new Promise((resolve) => void setImmediate(resolve)),
    });
    const rtc = design.rtc === "none" ? {} : (design.rtc ?? {});
    this.sim = createDs3231Sim({
      crystal: { errorPpm: 2 },
      ...rtc,
      startsAtSeconds: this.net.now() + (rtc.aheadSeconds ?? 0),
    });
    this.lies = Array.from({ length: design.servers ?? 3 }, () => 0);
    for (let index = 0; index < this.lies.length; index += 1) this.#serveNtp(index);
    this.#serveSigned();
  }

  trueSeconds(): number {
    return this.net.now();
  }

  /** The device is switched on; what it knew before is in the store and in the chip. */
  boot(options: Partial<TimeKeeperOptions> = {}, change: Partial<TimeKeeperPorts> = {}): TimeKeeper {
    const { rtc, servers = 3, signed = "no" } = this.#design;
    const { random, openDatagram, timers } = this.net.ports;
    this.#bootMillis = this.net.world.clock.monotonicMillis();
    const clock = { monotonicMillis: () => this.deviceMillis() };
    const ports = { clock, timers, random, openDatagram, sha256: nodeSha256, verifier: nodeTimeVerifier };
    const buildFloorSeconds = options.buildFloorSeconds ?? 1_767_225_600;
    const hosts = this.lies.map((_, index) => ({ host: `ntp${index}`, port: 123 }));
    const keeper = createTimeKeeper(
      {
        clock,
        timers,
        tell: (event) => this.events.push(event),
        store: {
          read: (key) => this.store.read(key),
          write: async (key, value) => {
            this.writes.push(this.trueSeconds());
            if (this.isStoreFull) throw new Error("no space left");
            await this.store.write(key, value);
          },
        },
        ...(rtc === "none" ? undefined : { rtc: new Ds3231({ bus: this.#bus(), clock, timers }) }),
        ...(servers === 0
          ? undefined
          : { ntp: new SntpClient(ports, { servers: hosts, floorSeconds: buildFloorSeconds }) }),
        ...(signed === "no"
          ? undefined
          : {
              signed: new SignedTimeClient(ports, {
                server: { host: "bridge", port: 8037 },
                pins: [this.#pin],
              }),
            }),
        ...change,
      },
      { buildFloorSeconds, ...options },
    );
    keeper.start();
    return keeper;
  }

  /** What the monotonic clock of the device shows, since it was switched on. */
  deviceMillis(): number {
    const rate = 1 + (this.#design.monotonicPpm ?? 30) * 1e-6;
    return (this.net.world.clock.monotonicMillis() - this.#bootMillis) * rate;
  }

  async run(millis: number): Promise<void> {
    await this.net.world.run(millis);
  }

  /** What is given lies within what is said of it, now. */
  assertHonest(keeper: TimeKeeper): void {
    const readiness = keeper.readiness();
    if (readiness.kind === "waiting") return;
    const error = Math.abs(readiness.now - this.trueSeconds());
    assert.ok(
      error <= readiness.uncertaintySeconds + 1e-6,
      `off by ${error} s, ± ${readiness.uncertaintySeconds} s was said`,
    );
  }

  /** A step of the chip's time by others, or a glitch. */
  setChip(aheadSeconds: number): void {
    this.#catchUp();
    const date = new Date((this.trueSeconds() + aheadSeconds) * 1000);
    const bcd = (value: number) => (Math.floor(value / 10) << 4) | (value % 10);
    const bytes = [
      0,
      bcd(date.getUTCSeconds()),
      bcd(date.getUTCMinutes()),
      bcd(date.getUTCHours()),
      1,
      bcd(date.getUTCDate()),
      bcd(date.getUTCMonth() + 1),
      bcd(date.getUTCFullYear() % 100),
    ];
    this.sim.write(0x68, new Uint8Array(bytes), instantHz);
  }

  /** The OSF bit, as a logic analyser would see it. */
  isOscillatorStopped(): boolean {
    this.#catchUp();
    this.sim.write(0x68, new Uint8Array([0x0f]), instantHz);
    const status = this.sim.read(0x68, 1, instantHz);
    assert.ok(status instanceof Uint8Array);
    return ((status[0] ?? 0) & 0x80) !== 0;
  }

  #bus(): I2cBus {
    const forever = () => new Promise<never>(() => {});
    return {
      write: async (address, bytes) => {
        this.#catchUp();
        const outcome = this.sim.write(address, bytes, instantHz);
        return outcome === "stuck" ? await forever() : outcome;
      },
      read: async (address, length) => {
        this.#catchUp();
        const bytes = this.sim.read(address, length, instantHz);
        if (bytes === "stuck") return await forever();
        return bytes === "nack" ? undefined : bytes;
      },
    };
  }

  #catchUp(): void {
    this.sim.advanceMicros(this.net.world.clock.monotonicMillis() * 1000 - this.sim.nowMicros());
  }

  #serveNtp(index: number): void {
    this.net.serve(`ntp${index}`, (request, reply) => {
      const lie = this.lies[index] ?? "silent";
      if (lie !== "silent") reply(ntpAnswer(request, { receivedSeconds: this.trueSeconds() + lie }));
    });
  }

  #serveSigned(): void {
    let key: { readonly seconds: number; readonly text: string } | undefined;
    const answerer = createTimeAnswerer({
      clock: this.net.world.clock,
      ownClock: { isTrusted: true, wallSeconds: () => this.trueSeconds() + Number(this.bridgeLie) },
      findKey: () => {
        // Delegated anew each week, as an operator does.
        if (key === undefined || this.trueSeconds() - key.seconds > 6 * daySeconds) {
          const nowMillis = this.trueSeconds() * 1000;
          const order = { rootPem: this.#root.privatePem, nowMillis, lifetimeMillis: 7 * dayMillis };
          key = { seconds: this.trueSeconds(), text: makeTimeKeyFile(order) };
        }
        return parseTimeKeyFile(key.text);
      },
      observer: { timeAsked: () => undefined },
    });
    this.net.serve("bridge", (request, reply) => {
      if (this.bridgeLie === "silent") return;
      const outcome = answerer.answer(request, "192.0.2.1", "udp");
      if (outcome.kind === "answered") reply(outcome.bytes);
    });
  }
}

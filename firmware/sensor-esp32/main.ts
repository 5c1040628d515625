/**
 * A sensor on an ESP32: the one place that knows which board this is, which chip signs and which bridge is called.
 *
 * The order of a start is the order of trust: the chip gives randomness, the clock its time, time servers their
 * agreement, and only then is there a TLS connection whose certificate can be judged by its dates. Until then the agent
 * waits, and says why.
 *
 * Not run on hardware yet: see README.md beside this file.
 */

import Resource from "Resource";
import I2C from "embedded:io/i2c";
import TCP from "embedded:io/socket/tcp";
import TLSSocket from "embedded:io/socket/tcp/tls";
import UDP from "embedded:io/socket/udp";
import {
  type Agent,
  createAgent,
  createTimeKeeper,
  Ds3231,
  SntpClient,
  type TimeKeeper,
} from "@mayfly/device";
import {
  createXsClock,
  createXsConnect,
  createXsDatagrams,
  createXsRandom,
  createXsSha256,
  createXsStore,
  createXsTimers,
} from "@mayfly/device/xs";
import { Atecc608, slotSigner } from "@mayfly/secure-element/signer";
import { XsI2cBus, xsChipTime } from "@mayfly/secure-element/xs";
import { Digest } from "crypt";
import Net from "net";
import Preference from "preference";
import Time from "time";
import Timer from "timer";
import { addresses, pins } from "./pins.ts";
import { createReadings } from "./sensor.ts";
import { settings } from "./settings.ts";

/** The wall clock that TLS judges certificates by follows the believed time so closely. */
const wallClockMillis = 60_000;
/** A chip that does not answer at the start is asked again. */
const chipRetryMillis = 5_000;

const timers = createXsTimers(Timer);
const clock = createXsClock(Time, Timer);

async function start(): Promise<void> {
  const chipTime = xsChipTime(Time, Timer);
  const bus = new XsI2cBus({ io: I2C, ...pins.i2c, time: chipTime });
  const chip = new Atecc608(bus, { address: addresses.secureElement, time: chipTime });
  const sha256 = createXsSha256(Digest);
  const random = await createXsRandom(chip, sha256);

  const exchange = { clock, timers, openDatagram: createXsDatagrams({ net: Net, timer: Timer, udp: UDP }) };
  const servers = settings.timeServers.map((host) => ({ host, port: 123 }));
  const { buildFloorSeconds } = settings;
  const time = createTimeKeeper(
    {
      clock,
      timers,
      store: createXsStore(Preference),
      rtc: new Ds3231({ bus, clock, timers }),
      ntp: new SntpClient({ ...exchange, random }, { servers, floorSeconds: buildFloorSeconds }),
    },
    { buildFloorSeconds },
  );
  const certificate = new Resource("bridge-root.der");
  const agent = createAgent(
    {
      clock,
      timers,
      random,
      sha256,
      signer: slotSigner(chip, settings.key),
      time,
      connect: createXsConnect(
        { net: Net, timer: Timer, tcp: TCP, tls: { io: TLSSocket, secure: { certificate } } },
        settings.bridge,
      ),
    },
    {
      ...settings.device,
      slot: settings.key.slot,
      keepAliveSeconds: 300,
      outbox: { messagesMax: 64, bytesMax: 4_096, whenFull: "drop-oldest" },
      // What is in flight is held outside the outbox, and the whole lives in 30 KB.
      wire: { inFlightMaximum: 4 },
    },
  );
  time.start();
  runWhenTimeIsKnown(agent, time);
}

/** TLS reads the wall clock, so no connection is tried before it shows a time worth believing. */
function runWhenTimeIsKnown(agent: Agent, time: TimeKeeper): void {
  const readiness = time.readiness();
  if (readiness.kind === "waiting") {
    trace(`waiting: ${readiness.because}\n`);
    timers.after(1_000, () => runWhenTimeIsKnown(agent, time));
    return;
  }
  followTime(time);
  agent.onEvent((event) => {
    if (event.kind === "state") trace(`${event.state}\n`);
  });
  agent.start();
  report(agent, createReadings());
}

function followTime(time: TimeKeeper): void {
  const readiness = time.readiness();
  if (readiness.kind === "ready") Time.set(Math.round(readiness.now));
  timers.after(wallClockMillis, () => followTime(time));
}

function report(agent: Agent, readings: { next(): Uint8Array }): void {
  // What the outbox has no room for pushes out the oldest; the status counts it.
  agent.post(readings.next());
  timers.after(settings.reportMillis, () => report(agent, readings));
}

function begin(): void {
  start().catch((error: unknown) => {
    trace(`not started: ${error instanceof Error ? error.name : "unknown"}\n`);
    timers.after(chipRetryMillis, begin);
  });
}

begin();

/**
 * A simulated chip on a socket of this machine, with its image in a file, and beside it a clock chip where one is wanted.
 */
import { rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, resolve } from "node:path";
import type { Ds3231Sim } from "@mayfly/device/ds3231-sim";
import type { FaultName, FaultPlan, ImageName } from "@mayfly/secure-element/sim";
import { CommandFailure } from "../failure.ts";
import type { Fault } from "../fault-flag.ts";
import { wallSeconds } from "./clock.ts";
import { fileExists, makeOwnFolder } from "./files.ts";

export interface ChipSimOrder {
  /** A path, or `host:port`; port 0 takes a free one. */
  readonly socket: string;
  /** Where the image is kept. */
  readonly imageFile?: string;
  /** What a chip without an image is. */
  readonly kind: ImageName;
  readonly profile: "typical" | "worst";
  readonly seed?: number;
  readonly realTime: boolean;
  readonly faults: readonly Fault[];
  /** A DS3231 on the same bus. */
  readonly rtc?: RtcOrder;
  readonly trace?: (line: string) => void;
}

export interface RtcOrder {
  /** How fast its crystal runs at 25 °C. */
  readonly ppm: number;
  /** As after a battery that was empty: OSF is set. */
  readonly isOscillatorStopped: boolean;
  /** What it shows at the start, 2000 to 2099. Default: this machine's time; stopped, what it shows at first power. */
  readonly startsAtSeconds?: number;
}

export interface RunningChipSim {
  readonly address: string;
  /** Closes the socket and saves the image, where it has a file. */
  close(): Promise<void>;
}

/** @throws {CommandFailure} in_use, file_unreadable, file_unwritable, usage */
export async function startChipSim(order: ChipSimOrder): Promise<RunningChipSim> {
  const { createChipSim, faultNames, ImageError } = await import("@mayfly/secure-element/sim");
  const { loadChipImage, nodeSimCrypto, saveChipImage, startChipSocketServer } = await import(
    "@mayfly/secure-element/node"
  );
  const { imageFile, seed, trace } = order;
  const sim = openSim();
  const save = async (): Promise<void> => {
    if (imageFile === undefined) return;
    try {
      await makeOwnFolder(dirname(resolve(imageFile)));
      saveChipImage(imageFile, sim.image());
    } catch (error) {
      throw new CommandFailure("file_unwritable", `cannot write ${imageFile}`, { cause: error });
    }
  };
  // A new chip is kept from its first moment: its keys are in no other place.
  if (imageFile !== undefined && !fileExists(imageFile)) await save();
  const listen = await listenAddress(order.socket);
  const server = await startChipSocketServer({
    sim,
    listen,
    realTime: order.realTime,
    ...(order.rtc === undefined ? {} : { devices: [await openRtc(order.rtc)] }),
    ...(trace === undefined ? {} : { trace }),
    ...(imageFile === undefined ? {} : { imageFile }),
  }).catch((error: unknown) => {
    const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new CommandFailure(
      isTaken ? "in_use" : "file_unwritable",
      isTaken
        ? `${order.socket} is in use`
        : `cannot listen on ${order.socket}: ${String((error as Error).message)}`,
      { cause: error },
    );
  });
  return {
    address: server.address,
    async close() {
      await server.close();
      await save();
    },
  };

  function openSim(): ReturnType<typeof createChipSim> {
    const options = {
      crypto: nodeSimCrypto(),
      profile: order.profile,
      ...(seed === undefined ? {} : { seed }),
      faults: planFaults(order.faults, faultNames),
    };
    if (imageFile === undefined || !fileExists(imageFile)) {
      return createChipSim({ ...options, image: order.kind });
    }
    try {
      return createChipSim({ ...options, image: loadChipImage(imageFile) });
    } catch (error) {
      const reason = error instanceof ImageError ? error.message : "it cannot be read";
      throw new CommandFailure("file_unreadable", `cannot use ${imageFile}: ${reason}`, { cause: error });
    }
  }
}

/** @throws {CommandFailure} usage: there is no such fault. */
function planFaults(faults: readonly Fault[], names: readonly FaultName[]): FaultPlan {
  const plan: Partial<Record<FaultName, Fault[1]>> = {};
  for (const [kind, when] of faults) {
    const name = names.find((one) => one === kind);
    if (name === undefined) {
      throw new CommandFailure("usage", `--fault ${kind} is none: there are ${names.join(", ")}`);
    }
    plan[name] = when;
  }
  return plan;
}

async function openRtc(order: RtcOrder): Promise<Ds3231Sim> {
  const { createDs3231Sim } = await import("@mayfly/device/ds3231-sim");
  const { ppm, isOscillatorStopped } = order;
  const startsAtSeconds = order.startsAtSeconds ?? (isOscillatorStopped ? undefined : wallSeconds());
  try {
    return createDs3231Sim({
      isOscillatorStopped,
      crystal: { errorPpm: ppm },
      ...(startsAtSeconds === undefined ? {} : { startsAtSeconds }),
    });
  } catch (error) {
    throw new CommandFailure("usage", `--rtc-time: ${String((error as Error).message)}`, { cause: error });
  }
}

/** Makes room where a simulator that was killed has left its socket. */
async function listenAddress(
  socket: string,
): Promise<string | { readonly host: string; readonly port: number }> {
  const match = /^([^/]+):(\d{1,5})$/.exec(socket);
  if (match?.[1] !== undefined && match[2] !== undefined) {
    return { host: match[1].replace(/^\[(.*)\]$/, "$1"), port: Number(match[2]) };
  }
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
    throw new CommandFailure(
      "usage",
      `a socket's path has ${SOCKET_PATH_BYTES_MAX} bytes at most; this one has ${Buffer.byteLength(socket)}`,
    );
  }
  await makeOwnFolder(dirname(resolve(socket)));
  if (fileExists(socket) && (await stat(socket)).isSocket() && (await isOfNobody(socket))) {
    await rm(socket, { force: true });
  }
  return socket;
}

/** Of a Unix socket, on every system we run on. */
export const SOCKET_PATH_BYTES_MAX = 103;

/** Refused by the system itself: a socket whose process is gone. */
function isOfNobody(path: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      done(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"));
  });
}

/**
 * A time keeper on Node in one call: servers, the bridge's signed time, a clock chip on a bus, a store, each if there is
 * one, put together with this machine's monotonic clock.
 *
 * That clock stands still while the machine sleeps. A clock chip notices; without one, so does the bridge, which
 * refuses the next token, and that has every source asked again.
 *
 * Left to others: which bus and which folder this machine has (the program that embeds the agent).
 */
import type { NumericDate } from "@mayfly/core";
import type { I2cBus, SmallStore } from "../../ports.ts";
import type { DatagramPeer } from "../../time/datagram-exchange.ts";
import { Ds3231 } from "../../time/ds3231/ds3231.ts";
import { SignedTimeClient } from "../../time/signed/signed-time-client.ts";
import { SntpClient } from "../../time/sntp/sntp-client.ts";
import {
  createTimeKeeper,
  type TimeKeeper,
  type TimeKeeperOptions,
  type TimeKeeperPorts,
} from "../../time/time-keeper.ts";
import { createOpenDatagram } from "./node-datagram.ts";
import { buildFloorSeconds, nodeClock, nodeRandom, nodeSha256, nodeTimers } from "./system-ports.ts";
import { createTimePost, type TimePostTarget } from "./time-post.ts";
import { nodeTimeVerifier } from "./time-verifier.ts";

export interface NodeTimeKeeperOptions
  extends Omit<TimeKeeperOptions, "buildFloorSeconds">,
    Pick<TimeKeeperPorts, "tell" | "isConnected"> {
  /** SNTP servers, 1 to 4; three or more, or signed time, or a chip that knows, make a clock believed. */
  readonly ntp?: readonly DatagramPeer[];
  /** The bridge's time service, and the roots to believe: X‖Y, 1 or 2. `https`: asked where UDP brings nothing. */
  readonly signed?: {
    readonly server: DatagramPeer;
    readonly pins: readonly Uint8Array[];
    readonly https?: TimePostTarget;
  };
  /** A bus with a DS3231. */
  readonly rtc?: I2cBus;
  /** Without one, a restart knows neither the floor nor what the chip was set by. */
  readonly store?: SmallStore;
  readonly buildFloorSeconds?: NumericDate;
}

/** @throws {AgentOptionError} A server, a pin or a number is out of range. */
export function createNodeTimeKeeper(options: NodeTimeKeeperOptions): TimeKeeper {
  const { ntp, signed, rtc, store, tell, isConnected, ...rest } = options;
  const ports = { clock: nodeClock, timers: nodeTimers, random: nodeRandom, sha256: nodeSha256 };
  const openDatagram = createOpenDatagram();
  const floorSeconds = Math.max(rest.buildFloorSeconds ?? buildFloorSeconds, rest.floorSeconds ?? 0);
  return createTimeKeeper(
    {
      clock: nodeClock,
      timers: nodeTimers,
      ...(store === undefined ? undefined : { store }),
      ...(rtc === undefined ? undefined : { rtc: new Ds3231({ ...ports, bus: rtc }) }),
      ...(ntp === undefined
        ? undefined
        : { ntp: new SntpClient({ ...ports, openDatagram }, { servers: ntp, floorSeconds }) }),
      ...(signed === undefined
        ? undefined
        : {
            signed: new SignedTimeClient(
              {
                ...ports,
                openDatagram,
                verifier: nodeTimeVerifier,
                ...(signed.https === undefined ? undefined : { openFallback: createTimePost(signed.https) }),
              },
              signed,
            ),
          }),
      ...(tell === undefined ? undefined : { tell }),
      ...(isConnected === undefined ? undefined : { isConnected }),
    },
    { buildFloorSeconds, ...rest },
  );
}

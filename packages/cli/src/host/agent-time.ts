/**
 * Opens what a device keeps its time from: servers, the bridge's service, a clock chip behind a socket, a folder.
 */
import { hexDecode } from "@mayfly/core";
import type { I2cBus, SmallStore, TimeEvent, TimeKeeper } from "@mayfly/device";
import type { AgentTimeOrder } from "../agent-time.ts";
import { readText } from "./files.ts";
import type { OpenBus, SharedBuses } from "./shared-buses.ts";
import { pinsOf } from "./time-pins.ts";

export interface OpenTime {
  readonly time: TimeKeeper;
  /** Ends it, and lets go of the bus. */
  close(): void;
}

/**
 * @param told Of events; a line each in a log.
 * @param store What is known outlives a restart there, where it is one on the disk.
 * @throws {CommandFailure} key_unusable: a pin. Rejects with BusError, SmallStoreError, AgentOptionError.
 */
export async function openAgentTime(
  order: AgentTimeOrder,
  isConnected: () => boolean,
  told: (event: TimeEvent) => void,
  store: SmallStore,
  buses: SharedBuses,
): Promise<OpenTime> {
  const { ntp, signed, rtc, agingDiscipline, floorSeconds } = order;
  const node = await import("@mayfly/device/node");
  const pins =
    signed === undefined
      ? []
      : pinsOf(await readText(signed.pinFile), signed.pinFile).map(({ publicKey }) => hexDecode(publicKey));
  const bus = rtc === undefined ? undefined : lastingBus(() => buses.open({ kind: rtc.bus, bus: rtc.path }));
  const time = node.createNodeTimeKeeper({
    ...(ntp === undefined ? {} : { ntp }),
    ...(signed === undefined ? {} : { signed: { ...signed, pins } }),
    ...(agingDiscipline === undefined ? {} : { agingDiscipline }),
    ...(bus === undefined ? {} : { rtc: bus }),
    store,
    ...(floorSeconds === undefined ? {} : { floorSeconds }),
    isConnected,
    tell: told,
  });
  return {
    time,
    close() {
      time.stop();
      bus?.close();
    },
  };
}

/** A bus that is opened when it is needed, and anew after it went away. */
function lastingBus(open: () => Promise<OpenBus>): I2cBus & { close(): void } {
  let opened: Promise<OpenBus> | undefined;
  const withBus = async <T>(use: (bus: I2cBus) => Promise<T>): Promise<T> => {
    opened ??= open();
    try {
      return await use((await opened).bus);
    } catch (error) {
      const last = opened;
      opened = undefined;
      last.then(
        (bus) => bus.close(),
        () => {},
      );
      throw error;
    }
  };
  return {
    write: (address, bytes) => withBus((bus) => bus.write(address, bytes)),
    read: (address, length) => withBus((bus) => bus.read(address, length)),
    close() {
      opened?.then(
        (bus) => bus.close(),
        () => {},
      );
      opened = undefined;
    },
  };
}

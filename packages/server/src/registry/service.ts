/**
 * The registry service: what the admin API, and any later way in, may do with registries and devices.
 */
import type { Clock, Random } from "@mayfly/core";
import { createDevices, type Devices } from "./devices.ts";
import { createInstructions, type Instructions } from "./instructions.ts";
import type { KeyParser } from "./key-parser.ts";
import type { Places } from "./places.ts";
import { createRegistries, type Registries } from "./registries.ts";
import type { RegistryStore } from "./store.ts";

export interface RegistryService {
  readonly places: Places;
  readonly registries: Registries;
  readonly devices: Devices;
  readonly instructions: Instructions;
}

export function createRegistryService(ports: {
  readonly store: RegistryStore;
  readonly places: Places;
  readonly keyParser: KeyParser;
  readonly clock: Clock;
  readonly random: Random;
}): RegistryService {
  const devices = createDevices(ports);
  return {
    places: ports.places,
    registries: createRegistries(ports),
    devices,
    instructions: createInstructions({ ...ports, devices }),
  };
}

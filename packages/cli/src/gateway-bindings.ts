/**
 * Bindings of gateways in bulk, for commands: what v1 of the API leaves to a call a pair.
 *
 * Unbinding takes the first page again and again: each page is gone when the next is asked for, so a binding made
 * meanwhile is met too, and none is missed.
 */
import { AdminApiError, type AdminClient, type Device, type RegistryPath } from "@mayfly/core/admin";
import { CommandFailure } from "./failure.ts";

/** A page of a list; the server may give less. */
const PAGE_SIZE_MAX = 500;
/** More than the 10,000 devices of a gateway fill; whoever binds faster than we unbind is told so. */
const ROUNDS_MAX = 100;
/** Unbinding calls on their way at once. */
const CALLS_MAX = 8;

export type Associations = { readonly boundToGateway: string } | { readonly gatewaysOfDevice: string };

/** All devices of a gateway, or all gateways of a device, ordered by id. */
export async function listAssociations(
  client: AdminClient,
  at: RegistryPath,
  of: Associations | { readonly gatewayType: "GATEWAY" },
  devicesMax: number,
): Promise<readonly Device[]> {
  const devices: Device[] = [];
  let pageToken: string | undefined;
  do {
    const page = await client.listDevices(at, {
      ...of,
      pageSize: Math.min(PAGE_SIZE_MAX, devicesMax - devices.length),
      fields: ["blocked", "lastEventTime", "gatewayConfig"],
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    devices.push(...page.devices);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && pageToken !== "" && devices.length < devicesMax);
  return devices;
}

/** @returns How many bindings there were. @throws {CommandFailure} server_answer: there are always more. */
export async function unbindAll(client: AdminClient, at: RegistryPath, of: Associations): Promise<number> {
  let count = 0;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { devices } = await client.listDevices(at, { ...of, pageSize: PAGE_SIZE_MAX });
    if (devices.length === 0) return count;
    await inTurns(devices, CALLS_MAX, async ({ id }) => {
      const [gateway, device] = "boundToGateway" in of ? [of.boundToGateway, id] : [id, of.gatewaysOfDevice];
      if (await unbindIfBound(client, at, gateway, device)) count += 1;
    });
  }
  throw new CommandFailure("server_answer", "devices are bound faster than they can be unbound");
}

/** Somebody else may have unbound it first: it is unbound all the same. */
async function unbindIfBound(
  client: AdminClient,
  at: RegistryPath,
  gateway: string,
  device: string,
): Promise<boolean> {
  try {
    await client.unbindDevice(at, gateway, device);
    return true;
  } catch (error) {
    if (error instanceof AdminApiError && error.status === "NOT_FOUND") return false;
    throw error;
  }
}

async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}

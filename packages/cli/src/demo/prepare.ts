/**
 * What the demo orders through the admin API: a strict registry, and devices with three keys each.
 *
 * Slot 0 is in use; the keys of the other signing slots are registered in advance, as pending, so that turning to them
 * needs no new trust.
 */
import { AdminApiError, type AdminClient, type DevicePath, type RegistryPath } from "@mayfly/core/admin";

/** One key of a device, as chip and registry know it. The private half is in the chip. */
export interface DemoKey {
  readonly slot: number;
  readonly publicPem: string;
}

export interface DemoDevice {
  readonly id: string;
  readonly keys: readonly DemoKey[];
}

/** The registry, made where it is missing. */
export async function ensureRegistry(client: AdminClient, at: RegistryPath): Promise<void> {
  try {
    await client.createRegistry(at, { id: at.registry, policy: { preset: "strict" } });
  } catch (error) {
    if (!isStatus(error, "ALREADY_EXISTS")) throw error;
  }
}

/** The device with exactly these keys; one left by an earlier demo is used again if its keys are the same. */
export async function ensureDevice(
  client: AdminClient,
  registry: RegistryPath,
  device: DemoDevice,
): Promise<void> {
  const at: DevicePath = { ...registry, device: device.id };
  if (await hasTheseKeys(client, at, device)) return;
  try {
    await client.createDevice(registry, { id: device.id });
  } catch (error) {
    if (!isStatus(error, "ALREADY_EXISTS")) throw error;
    await client.deleteDevice(at);
    await client.createDevice(registry, { id: device.id });
  }
  for (const { slot, publicPem } of device.keys) {
    await client.addDeviceKey(at, {
      format: "ES256_PEM",
      key: publicPem,
      slot,
      state: slot === 0 ? "active" : "pending",
    });
  }
}

async function hasTheseKeys(client: AdminClient, at: DevicePath, device: DemoDevice): Promise<boolean> {
  try {
    const registered = await client.listDeviceKeys(at);
    return (
      registered.length === device.keys.length &&
      device.keys.every(({ slot, publicPem }) =>
        registered.some((key) => key.slot === slot && key.key.trim() === publicPem.trim()),
      )
    );
  } catch (error) {
    if (isStatus(error, "NOT_FOUND")) return false;
    throw error;
  }
}

function isStatus(error: unknown, status: AdminApiError["status"]): boolean {
  return error instanceof AdminApiError && error.status === status;
}

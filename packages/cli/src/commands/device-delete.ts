/**
 * `mayfly device delete`: a device or gateway, for good. What is bound is refused, unless `--force` unbinds it first.
 */
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { newCommand, outputOf, type RegistryCommandFlags, withConnection, withRegistry } from "../flags.ts";
import { unbindAll } from "../gateway-bindings.ts";

interface DeleteFlags extends RegistryCommandFlags {
  readonly force?: true;
}

export function addDeviceDeleteCommand(device: Command): void {
  device.addCommand(
    withRegistry(
      withConnection(newCommand("delete", "delete a device or gateway, with its keys and configs")),
    )
      .argument("ID", "device id or numId")
      .option("--force", "unbind it first from its gateways, and its devices from it")
      .action(remove),
  );
}

async function remove(id: string, flags: DeleteFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  let unbound = 0;
  if (flags.force === true) {
    unbound += await unbindAll(client, place, { boundToGateway: id });
    unbound += await unbindAll(client, place, { gatewaysOfDevice: id });
  }
  await client.deleteDevice({ ...place, device: id });
  outputOf(flags).result({ deleted: id, unbound }, () =>
    unbound === 0 ? `deleted ${id}` : `deleted ${id}, after ${unbound} bindings were undone`,
  );
}

/**
 * `mayfly gateway`: list the gateways of a registry and the devices of one, bind and unbind.
 *
 * A gateway is a device, made by `mayfly device create --gateway`; here is what it has with others.
 */
import type { Device } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  newCommand,
  newGroup,
  outputOf,
  type RegistryCommandFlags,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { listAssociations, unbindAll } from "../gateway-bindings.ts";
import { formatTable } from "../output.ts";

const LISTED_DEFAULT = 1_000;
/** As many devices as a gateway may have. */
const LISTED_MAX = 10_000;

interface ListFlags extends RegistryCommandFlags {
  readonly limit: number;
}

interface UnbindFlags extends RegistryCommandFlags {
  readonly all?: true;
}

export function addGatewayCommands(program: Command): void {
  const group = newGroup("gateway", "gateways: which there are, and which devices they may speak for");
  program.addCommand(group);
  group.addCommand(listCommand("list", "list the gateways of a registry").action(list));
  group.addCommand(
    listCommand("devices", "list the devices bound to a gateway")
      .argument("GATEWAY", "the gateway's device id or numId")
      .action(listDevices),
  );
  group.addCommand(
    withRegistry(withConnection(newCommand("bind", "let a gateway speak for devices")))
      .argument("GATEWAY", "the gateway's device id or numId")
      .argument("DEVICE...", "device ids or numIds")
      .action(bind),
  );
  group.addCommand(
    withRegistry(withConnection(newCommand("unbind", "let a gateway speak for devices no more")))
      .argument("GATEWAY", "the gateway's device id or numId")
      .argument("[DEVICE...]", "device ids or numIds")
      .option("--all", "every device bound to the gateway")
      .action(unbind),
  );
}

function listCommand(name: string, summary: string): Command {
  return withRegistry(withConnection(newCommand(name, summary))).option(
    "--limit <N>",
    "devices shown at most",
    wholeNumber(1, LISTED_MAX),
    LISTED_DEFAULT,
  );
}

async function list(flags: ListFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  const gateways = await listAssociations(client, place, { gatewayType: "GATEWAY" }, flags.limit);
  outputOf(flags).result({ gateways }, () =>
    gateways.length === 0
      ? `no gateways in ${place.registry}`
      : formatTable(
          ["GATEWAY", "NUMID", "BLOCKED", "METHOD"],
          gateways.map((gateway) => [
            gateway.id,
            gateway.numId,
            gateway.blocked === true ? "yes" : "no",
            gateway.gatewayConfig?.gatewayAuthMethod ?? "none: no device may attach",
          ]),
        ),
  );
}

async function listDevices(gateway: string, flags: ListFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  const devices = await listAssociations(client, place, { boundToGateway: gateway }, flags.limit);
  outputOf(flags).result({ devices }, () =>
    devices.length === 0
      ? `no devices are bound to ${gateway}`
      : formatTable(["DEVICE", "NUMID", "BLOCKED", "LAST GATEWAY", "SEEN"], devices.map(boundRow)),
  );
}

function boundRow({ id, numId, blocked, gatewayConfig }: Device): readonly string[] {
  const { lastAccessedGatewayId = "-", lastAccessedGatewayTime = "-" } = gatewayConfig ?? {};
  return [id, numId, blocked === true ? "yes" : "no", lastAccessedGatewayId, lastAccessedGatewayTime];
}

async function bind(gateway: string, devices: readonly string[], flags: RegistryCommandFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  for (const device of devices) await client.bindDevice(place, gateway, device);
  outputOf(flags).result({ gateway, bound: devices }, () => `${gateway} may speak for ${devices.join(", ")}`);
}

async function unbind(gateway: string, devices: readonly string[], flags: UnbindFlags): Promise<void> {
  if ((flags.all === true) === devices.length > 0) {
    throw new CommandFailure("usage", "name the devices to unbind, or give --all");
  }
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  if (flags.all === true) {
    const unbound = await unbindAll(client, place, { boundToGateway: gateway });
    outputOf(flags).result({ gateway, unbound }, () => `${gateway}: ${unbound} devices unbound`);
    return;
  }
  for (const device of devices) await client.unbindDevice(place, gateway, device);
  outputOf(flags).result(
    { gateway, unbound: devices.length },
    () => `${gateway} speaks for ${devices.join(", ")} no more`,
  );
}

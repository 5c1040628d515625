/**
 * `mayfly device keys`: list, add, activate, retire, revoke.
 *
 * A retiring key still verifies until its date; a retired one does not, and a revoked one is refused for any
 * device of the project, for good. Live sessions of a key that stops verifying are cut within a second.
 */
import type { AdminClient, DeviceKey, DeviceKeyChange, DevicePath } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  durationSeconds,
  newCommand,
  newGroup,
  oneOf,
  outputOf,
  type RegistryCommandFlags,
  required,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { parseKeyFlag } from "../key-flag.ts";
import { formatTable } from "../output.ts";

interface AddFlags extends RegistryCommandFlags {
  readonly publicKey: string;
  readonly state: "pending" | "active";
}

interface RetireFlags extends RegistryCommandFlags {
  readonly after?: number;
}

export function addDeviceKeyCommands(device: Command): void {
  const group = newGroup("keys", "a device's keys: list, add, activate, retire, revoke");
  device.addCommand(group);
  group.addCommand(
    keyCommand("list", "list the keys of a device").argument("ID", "device id or numId").action(list),
    {
      isDefault: true,
    },
  );
  group.addCommand(
    keyCommand("add", "register one more public key")
      .argument("ID", "device id or numId")
      .option("--public-key <FILE:SLOT>", required("public key in PEM, and the chip's slot"))
      .option("--state <STATE>", "pending or active", oneOf(["pending", "active"] as const), "pending")
      .action(add),
  );
  group.addCommand(
    keyCommand("activate", "make a pending or retiring key active")
      .argument("ID", "device id or numId")
      .argument("KEY", "key id, or the beginning of it that fits one key only")
      .action((id: string, key: string, flags: RegistryCommandFlags) =>
        change(id, key, flags, { state: "active" }),
      ),
  );
  group.addCommand(
    keyCommand("retire", "let a key verify no more, at once or after a while")
      .argument("ID", "device id or numId")
      .argument("KEY", "key id, or the beginning of it that fits one key only")
      .option("--after <DURATION>", "go on verifying for this long, such as 1h or 7d", durationSeconds)
      .action(retire),
  );
  group.addCommand(
    keyCommand("revoke", "refuse a key for every device of the project, for good")
      .argument("ID", "device id or numId")
      .argument("KEY", "key id, or the beginning of it that fits one key only")
      .action((id: string, key: string, flags: RegistryCommandFlags) =>
        change(id, key, flags, { state: "revoked" }),
      ),
  );
}

/** Keys as a table, without the keys themselves. */
export function describeKeys(keys: readonly DeviceKey[]): string {
  return formatTable(
    ["KEY", "SLOT", "STATE", "FORMAT", "EXPIRES", "LAST USED"],
    keys.map((key) => [
      key.keyId,
      key.slot === undefined ? "-" : String(key.slot),
      key.state,
      key.format,
      key.expirationTime ?? "never",
      key.lastUsedTime ?? "-",
    ]),
  );
}

/** `1 active, 2 pending`. */
export function keyStatesOf(keys: readonly DeviceKey[]): string {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key.state, (counts.get(key.state) ?? 0) + 1);
  return `keys: ${[...counts].map(([state, count]) => `${count} ${state}`).join(", ")}`;
}

function keyCommand(name: string, summary: string): Command {
  return withRegistry(withConnection(newCommand(name, summary)));
}

async function list(id: string, flags: RegistryCommandFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const keys = await client.listDeviceKeys({ ...registryOf(flags, endpoints), device: id });
  outputOf(flags).result({ keys }, () => (keys.length === 0 ? `${id} has no keys` : describeKeys(keys)));
}

async function add(id: string, flags: AddFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const { pem, format, slot } = await parseKeyFlag(flags.publicKey);
  const key = await client.addDeviceKey(
    { ...registryOf(flags, endpoints), device: id },
    { format, key: pem, state: flags.state, ...(slot === undefined ? {} : { slot }) },
  );
  outputOf(flags).result(key, () => `added key ${key.keyId} to ${id}, ${key.state}`);
}

async function retire(id: string, key: string, flags: RetireFlags): Promise<void> {
  const wanted: DeviceKeyChange =
    flags.after === undefined
      ? { state: "retired" }
      : { state: "retiring", expirationTime: new Date((wallSeconds() + flags.after) * 1000).toISOString() };
  await change(id, key, flags, wanted);
}

async function change(
  id: string,
  key: string,
  flags: RegistryCommandFlags,
  wanted: DeviceKeyChange,
): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: id };
  const changed = await client.changeDeviceKey(at, await findKeyId(client, at, key), wanted);
  outputOf(flags).result(changed, () =>
    changed.state === "retiring"
      ? `key ${changed.keyId} of ${id} is retiring, until ${changed.expirationTime}`
      : `key ${changed.keyId} of ${id} is ${changed.state}`,
  );
}

async function findKeyId(client: AdminClient, at: DevicePath, given: string): Promise<string> {
  const keys = await client.listDeviceKeys(at);
  const exact = keys.find((key) => key.keyId === given);
  if (exact !== undefined) return exact.keyId;
  const fitting = keys.filter((key) => key.keyId.startsWith(given) || key.fingerprint.startsWith(given));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only.keyId;
  throw new CommandFailure(
    "usage",
    fitting.length === 0
      ? `${at.device} has no key ${given}; it has ${keys.map((key) => key.keyId).join(", ") || "none"}`
      : `${given} fits ${fitting.length} keys of ${at.device}: ${fitting.map((key) => key.keyId).join(", ")}`,
  );
}

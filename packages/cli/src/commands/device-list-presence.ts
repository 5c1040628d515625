/**
 * `mayfly device list --online` and its fellows: the devices of a registry by whether they are connected.
 *
 * The server filters a page at a time, so a page may be empty and yet have a next one.
 */
import type { DevicePresence, PresenceFilter } from "@mayfly/core/admin";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import { outputOf, type RegistryCommandFlags } from "../flags.ts";
import { formatTable } from "../output.ts";
import { describePresence } from "../presence-words.ts";

/** A page of the list; the server may give less. */
const PAGE_SIZE_MAX = 1_000;

export interface PresenceFlags {
  readonly online?: true;
  readonly offline?: true;
  readonly neverOnline?: true;
}

/** @returns undefined when no flag asks for a presence. @throws {CommandFailure} Two of them are given. */
export function presenceAsked(flags: PresenceFlags): PresenceFilter | undefined {
  const asked: readonly PresenceFilter[] = [
    ...(flags.online === true ? (["ONLINE"] as const) : []),
    ...(flags.offline === true ? (["OFFLINE"] as const) : []),
    ...(flags.neverOnline === true ? (["NEVER_ONLINE"] as const) : []),
  ];
  if (asked.length > 1)
    throw new CommandFailure("usage", "--online, --offline and --never-online exclude each other");
  return asked[0];
}

export async function listByPresence(
  flags: RegistryCommandFlags & { readonly limit: number },
  presence: PresenceFilter,
): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  const found: DevicePresence[] = [];
  let pageToken: string | undefined;
  do {
    const page = await client.listPresence(place, {
      presence,
      pageSize: PAGE_SIZE_MAX,
      fields: ["blocked", "lastEventTime"],
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    found.push(...page.devices);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && found.length < flags.limit);

  const devices = found.slice(0, flags.limit);
  const output = outputOf(flags);
  output.result({ devices }, () =>
    devices.length === 0
      ? `no such devices in ${place.registry}`
      : formatTable(
          ["DEVICE", "NUMID", "BLOCKED", "PRESENCE", "LAST EVENT"],
          devices.map(({ device, presence: now }) => [
            device.id,
            device.numId,
            device.blocked === true ? "yes" : "no",
            describePresence(now) ?? "never online",
            device.lastEventTime ?? "-",
          ]),
        ),
  );
  if (pageToken !== undefined || found.length > devices.length)
    output.remark(`mayfly: there may be more; raise --limit above ${flags.limit}`);
}

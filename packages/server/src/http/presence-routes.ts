/**
 * Routes of presence: the devices of a registry by their state, and the stream of changes.
 */
import type { PresenceFilter } from "@mayfly/core/admin";
import type { PresenceService } from "../presence/presence-service.ts";
import { DEVICE_PAGE_SIZE_MAX } from "../registry/devices.ts";
import type { RegistryService } from "../registry/service.ts";
import { invalidField } from "./api-error.ts";
import { deviceMembers, formatMaskedDevice } from "./device-json.ts";
import { devicesPath } from "./device-routes.ts";
import { parseFieldMask } from "./field-mask.ts";
import { readPage } from "./paging.ts";
import { formatPresence, readPlace } from "./presence-json.ts";
import type { PresenceStreams } from "./presence-stream.ts";
import { registryOf, registryPath } from "./registry-routes.ts";
import type { Route } from "./route.ts";

const filters = ["ONLINE", "OFFLINE", "NEVER_ONLINE"] as const satisfies readonly PresenceFilter[];

export function presenceRoutes(ports: {
  readonly service: RegistryService;
  readonly presence: Pick<PresenceService, "of">;
  readonly presenceStreams: PresenceStreams;
}): readonly Route[] {
  const { registries, devices } = ports.service;

  return [
    {
      method: "GET",
      path: `/mayfly${devicesPath}`,
      permission: "cloudiot.devices.list",
      async handle(call) {
        const mask = parseFieldMask(call.query("fieldMask"), deviceMembers);
        const wanted = readFilter(call.query("presence"));
        const page = await devices.list(registryOf(call), readPage(call, DEVICE_PAGE_SIZE_MAX));
        const found = page.items.map((record) => ({ record, presence: ports.presence.of(record) }));
        return {
          devices: found
            .filter(({ presence }) => wanted === undefined || filterOf(presence) === wanted)
            .map(({ record, presence }) => ({
              device: formatMaskedDevice(record, mask),
              ...(presence === undefined ? {} : { presence: formatPresence(presence) }),
            })),
          ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
        };
      },
    },
    {
      method: "GET",
      path: `/mayfly${registryPath}:watchPresence`,
      permission: "mayfly.presence.watch",
      async handle(call) {
        const after = readPlace(call.query("after"));
        const { project, location, registry } = await registries.get(registryOf(call));
        call.reply
          .header("content-type", "application/x-ndjson; charset=utf-8")
          .header("cache-control", "no-store");
        return call.reply.send(ports.presenceStreams.open({ project, location, registry }, after));
      },
    },
  ];
}

function filterOf(presence: { readonly state: "online" | "offline" } | undefined): PresenceFilter {
  if (presence === undefined) return "NEVER_ONLINE";
  return presence.state === "online" ? "ONLINE" : "OFFLINE";
}

/** @throws {ApiError} INVALID_ARGUMENT */
function readFilter(text: string | undefined): PresenceFilter | undefined {
  if (text === undefined || text === "") return undefined;
  const filter = filters.find((one) => one === text);
  if (filter === undefined)
    throw invalidField("presence", `'presence' must be one of ${filters.join(", ")}.`);
  return filter;
}

/**
 * The device log over the admin API: the latest entries of a device, and a stream of what is logged from now on.
 */
import type { RegistryService } from "../registry/service.ts";
import { type DeviceLog, deviceLogEntriesMax } from "../telemetry/device-log.ts";
import { formatDeviceLogEntry } from "./device-log-json.ts";
import { deviceOf, devicePath } from "./device-routes.ts";
import { readCount } from "./paging.ts";
import { registryOf, registryPath } from "./registry-routes.ts";
import type { Call, Route } from "./route.ts";
import type { Tails } from "./tail.ts";

const prefix = "/mayfly";

export function deviceLogRoutes(ports: {
  readonly service: RegistryService;
  readonly deviceLog: Pick<DeviceLog, "list">;
  readonly tails: Tails;
}): readonly Route[] {
  const { registries, devices } = ports.service;

  function stream(call: Call): Call["reply"] {
    return call.reply
      .header("content-type", "application/x-ndjson; charset=utf-8")
      .header("cache-control", "no-store");
  }

  return [
    {
      method: "GET",
      path: `${prefix}${devicePath}:log`,
      permission: "mayfly.logs.get",
      async handle(call) {
        const limit = readCount(call, "limit");
        const { numId } = await devices.get(deviceOf(call));
        const latest = ports.deviceLog.list(numId).slice(-(limit === 0 ? deviceLogEntriesMax : limit));
        return { entries: latest.map(formatDeviceLogEntry) };
      },
    },
    {
      method: "GET",
      path: `${prefix}${devicePath}:tailLog`,
      permission: "mayfly.logs.get",
      async handle(call) {
        const { numId } = await devices.get(deviceOf(call));
        const registry = await registries.get(registryOf(call));
        return stream(call).send(ports.tails.openLog(registry, numId));
      },
    },
    {
      method: "GET",
      path: `${prefix}${registryPath}:tailLog`,
      permission: "mayfly.logs.get",
      async handle(call) {
        const registry = await registries.get(registryOf(call));
        return stream(call).send(ports.tails.openLog(registry));
      },
    },
  ];
}

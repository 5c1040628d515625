/** Entries of the device log in Cloud Logging's JSON, as a log sink of Cloud IoT Core delivered them. */
import { canonicalStatuses, type DeviceLogEntry } from "@mayfly/core/admin";
import type { LoggedEvent } from "../telemetry/device-log.ts";
import { formatMillis } from "./timestamps.ts";

const descriptions: ReadonlyMap<number, string> = new Map(
  Object.entries(canonicalStatuses).map(([name, { grpc }]) => [grpc, name]),
);

export function formatDeviceLogEntry(logged: LoggedEvent): DeviceLogEntry {
  const { registry, deviceId, deviceNumId, severity } = logged;
  const { status, ...event } = logged.event;
  return {
    logName: `projects/${registry.project}/logs/cloudiot.googleapis.com%2Fdevice_activity`,
    resource: {
      type: "cloudiot_device",
      labels: {
        project_id: registry.project,
        location: registry.location,
        device_registry_id: registry.registry,
        device_num_id: deviceNumId,
      },
    },
    labels: { device_id: deviceId },
    timestamp: formatMillis(logged.atMs),
    severity,
    jsonPayload: {
      ...event,
      serviceName: "cloudiot.googleapis.com",
      status:
        status === undefined
          ? { code: 0, description: "OK" }
          : {
              code: status.code,
              description: descriptions.get(status.code) ?? "UNKNOWN",
              message: status.message,
            },
    },
  };
}

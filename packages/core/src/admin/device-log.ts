/**
 * The device log as the admin API gives it: Cloud Logging's shape of Cloud IoT Core's device activity.
 *
 * Left to others: which events a device's level records, and how long they are kept (`server/telemetry/device-log.ts`).
 */

export type DeviceLogSeverity = "ERROR" | "INFO" | "DEBUG";

export type DeviceLogEventType =
  | "CONNECT"
  | "DISCONNECT"
  | "PUBLISH"
  | "PUBACK"
  | "SUBSCRIBE"
  | "ATTACH_TO_GATEWAY"
  | "DETACH_FROM_GATEWAY";

export interface DeviceLogPayload {
  readonly eventType: DeviceLogEventType;
  readonly protocol: "MQTT" | "HTTP";
  readonly serviceName: "cloudiot.googleapis.com";
  /** `code` of google.rpc.Code, 0 for what succeeded; `description` its name; `message` absent for 0. */
  readonly status: { readonly code: number; readonly description: string; readonly message?: string };
  /** Of a DISCONNECT: who ended the connection. */
  readonly disconnectType?: "SERVER" | "CLIENT";
  readonly publishFromDeviceTopicType?: "EVENTS" | "STATE";
  readonly publishToDeviceTopicType?: "CONFIG" | "COMMANDS";
  /** Of a SUBSCRIBE: its Topic Filter. */
  readonly mqttTopic?: string;
  /** The gateway that speaks for the device. */
  readonly gateway?: { readonly id: string };
}

export interface DeviceLogEntry {
  readonly logName: string;
  readonly resource: { readonly type: "cloudiot_device"; readonly labels: Readonly<Record<string, string>> };
  readonly labels: { readonly device_id: string };
  readonly timestamp: string;
  readonly severity: DeviceLogSeverity;
  readonly jsonPayload: DeviceLogPayload;
}

/** A line of the log's stream: an entry, or how many were dropped because this listener was too slow. */
export type DeviceLogLine =
  | { readonly kind: "entry"; readonly entry: DeviceLogEntry }
  | { readonly kind: "dropped"; readonly count: number };

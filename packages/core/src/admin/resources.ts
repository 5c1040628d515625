/**
 * The v1 JSON of the admin API: registries, devices, configs and states, as Cloud IoT Core spelled them.
 *
 * One idea: these are wire shapes, not domain values. 64-bit integers are decimal text, bytes are standard
 * base64, instants are RFC 3339 text, enums are their names, and a field that is empty is absent. Facts from
 * Cloud IoT Core's admin API v1; the server's own values live in `server/registry/model.ts`.
 *
 * Left to others: Mayfly's own resources (`mayfly-resources.ts`), subscriptions (`subscriptions.ts`).
 */

/** A project and a location: where registries live. */
export interface LocationPath {
  readonly project: string;
  readonly location: string;
}

/** `projects/{project}/locations/{location}/registries/{registry}` in parts. */
export interface RegistryPath extends LocationPath {
  readonly registry: string;
}

/** A device of a registry, by its string id or its numId. */
export interface DevicePath extends RegistryPath {
  readonly device: string;
}

export type PublicKeyFormat = "RSA_PEM" | "RSA_X509_PEM" | "ES256_PEM" | "ES256_X509_PEM";
export type LogLevel = "LOG_LEVEL_UNSPECIFIED" | "NONE" | "ERROR" | "INFO" | "DEBUG";
export type MqttState = "MQTT_STATE_UNSPECIFIED" | "MQTT_ENABLED" | "MQTT_DISABLED";
export type HttpState = "HTTP_STATE_UNSPECIFIED" | "HTTP_ENABLED" | "HTTP_DISABLED";
export type GatewayType = "GATEWAY_TYPE_UNSPECIFIED" | "GATEWAY" | "NON_GATEWAY";
export type GatewayAuthMethod =
  | "GATEWAY_AUTH_METHOD_UNSPECIFIED"
  | "ASSOCIATION_ONLY"
  | "DEVICE_AUTH_TOKEN_ONLY"
  | "ASSOCIATION_AND_DEVICE_AUTH_TOKEN";

export interface EventNotificationConfig {
  readonly subfolderMatches?: string;
  readonly pubsubTopicName: string;
}

export interface DeviceRegistry {
  readonly id: string;
  /** Output only. */
  readonly name?: string;
  readonly eventNotificationConfigs?: readonly EventNotificationConfig[];
  readonly stateNotificationConfig?: { readonly pubsubTopicName: string };
  readonly mqttConfig?: { readonly mqttEnabledState: MqttState };
  readonly httpConfig?: { readonly httpEnabledState: HttpState };
  readonly logLevel?: LogLevel;
  readonly credentials?: readonly RegistryCredential[];
}

/** A CA certificate of a registry. */
export interface RegistryCredential {
  readonly publicKeyCertificate: { readonly format: "X509_CERTIFICATE_PEM"; readonly certificate: string };
}

export interface DeviceCredential {
  readonly publicKey: { readonly format: PublicKeyFormat; readonly key: string };
  /** RFC 3339. The epoch, `1970-01-01T00:00:00Z`, means "never". */
  readonly expirationTime?: string;
}

export interface GatewayConfig {
  readonly gatewayType?: GatewayType;
  readonly gatewayAuthMethod?: GatewayAuthMethod;
  /** Of a device a gateway spoke for: the gateway's id, and when it did last. Output only. */
  readonly lastAccessedGatewayId?: string;
  readonly lastAccessedGatewayTime?: string;
}

export interface DeviceConfig {
  /** Decimal text: 1 or more. */
  readonly version: string;
  readonly cloudUpdateTime: string;
  readonly deviceAckTime?: string;
  /** Standard base64; absent when empty. */
  readonly binaryData?: string;
}

export interface DeviceState {
  readonly updateTime: string;
  /** Standard base64; absent when empty. */
  readonly binaryData?: string;
}

/** `google.rpc.Status` without details. */
export interface StatusMessage {
  readonly code: number;
  readonly message: string;
}

export interface Device {
  readonly id: string;
  /** Ends in the numId, whatever form the request used. */
  readonly name: string;
  readonly numId: string;
  readonly credentials?: readonly DeviceCredential[];
  readonly lastHeartbeatTime?: string;
  readonly lastEventTime?: string;
  readonly lastStateTime?: string;
  readonly lastConfigAckTime?: string;
  readonly lastConfigSendTime?: string;
  readonly blocked?: boolean;
  readonly lastErrorTime?: string;
  readonly lastErrorStatus?: StatusMessage;
  readonly config?: DeviceConfig;
  readonly state?: DeviceState;
  readonly logLevel?: LogLevel;
  readonly metadata?: Readonly<Record<string, string>>;
  /** `{}` for a plain device, never absent. */
  readonly gatewayConfig?: GatewayConfig;
}

/** What a create call may set. */
export interface DeviceCreation {
  readonly id: string;
  readonly credentials?: readonly DeviceCredential[];
  readonly blocked?: boolean;
  readonly logLevel?: LogLevel;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly gatewayConfig?: GatewayConfig;
  readonly config?: { readonly binaryData: string };
}

/** What an update may change; the mask says which of these it does. A masked field that is absent is cleared. */
export type DeviceUpdate = Pick<
  DeviceCreation,
  "credentials" | "blocked" | "logLevel" | "metadata" | "gatewayConfig"
>;

export interface PageRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

export interface DevicePage {
  readonly devices: readonly Device[];
  readonly nextPageToken?: string;
}

export interface DeviceListRequest extends PageRequest {
  /** Field names in camelCase; `id`, `name` and `numId` always come. Absent: only those and `gatewayConfig`. */
  readonly fields?: readonly string[];
  readonly deviceIds?: readonly string[];
  /** One of these at most: devices of a type, those bound to a gateway, or the gateways of a device. */
  readonly gatewayType?: "GATEWAY" | "NON_GATEWAY";
  readonly boundToGateway?: string;
  readonly gatewaysOfDevice?: string;
}

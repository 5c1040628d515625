/**
 * A small typed client of the admin API: one method for each thing the CLI does.
 *
 * It owns paths, JSON and errors; how a request travels (TLS, the private CA, agents) is the caller's through
 * {@link AdminFetch}, whose shape the platform's `fetch` fits. No retries: the caller knows what may be repeated.
 */
import { base64Encode } from "../bytes.ts";
import { AdminApiError, parseErrorBody } from "./error.ts";
import { readJsonLines } from "./json-lines.ts";
import type {
  AuthenticationLog,
  DeviceDetails,
  DeviceDetailsChange,
  DeviceKey,
  DeviceKeyChange,
  DeviceKeyCreation,
  InstructionOrderInput,
  InstructionView,
  RegistryChangeInput,
  RegistryCreation,
  RegistryDetails,
  RegistryDetailsPage,
  SessionAnswer,
} from "./mayfly-resources.ts";
import { devicePath, formatQuery, keyPath, locationPath, registryPath, subscriptionPath } from "./paths.ts";
import type {
  Device,
  DeviceConfig,
  DeviceCreation,
  DeviceListRequest,
  DevicePage,
  DevicePath,
  DeviceState,
  DeviceUpdate,
  LocationPath,
  PageRequest,
  RegistryPath,
} from "./resources.ts";
import type {
  PulledMessage,
  PullRequest,
  SubscriptionCreation,
  SubscriptionPath,
  SubscriptionView,
  TailLine,
} from "./subscriptions.ts";

/** The part of a fetch response the client reads. */
export interface AdminResponse {
  readonly status: number;
  text(): Promise<string>;
  /** Bytes as they arrive; only the tail reads it. Leaving the loop ends the request. */
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** Carries one HTTP request. Rejects, with the adapter's own error, when there was no answer at all. */
export type AdminFetch = (
  url: string,
  init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
) => Promise<AdminResponse>;

export interface AdminClientOptions {
  /** `https://host:port`, without a path. */
  readonly baseUrl: string;
  /** Bearer token. */
  readonly token: string;
  readonly fetch: AdminFetch;
}

/** Every method rejects with {@link AdminApiError} when the server refuses. */
export interface AdminClient {
  createRegistry(at: LocationPath, registry: RegistryCreation): Promise<RegistryDetails>;
  getRegistry(at: RegistryPath): Promise<RegistryDetails>;
  listRegistries(at: LocationPath, page?: PageRequest): Promise<RegistryDetailsPage>;
  updateRegistry(at: RegistryPath, change: RegistryChangeInput): Promise<RegistryDetails>;
  deleteRegistry(at: RegistryPath): Promise<void>;

  createDevice(at: RegistryPath, device: DeviceCreation): Promise<Device>;
  getDevice(at: DevicePath): Promise<Device>;
  /** The v1 device, its keys in all states, tokensNotBefore. */
  getDeviceDetails(at: DevicePath): Promise<DeviceDetails>;
  listDevices(at: RegistryPath, request?: DeviceListRequest): Promise<DevicePage>;
  /** @param fields The mask, camelCase: each of them is set, or cleared where `device` leaves it out. */
  updateDevice(
    at: DevicePath,
    device: DeviceUpdate,
    fields: readonly (keyof DeviceUpdate)[],
  ): Promise<Device>;
  updateDeviceDetails(at: DevicePath, change: DeviceDetailsChange): Promise<DeviceDetails>;
  deleteDevice(at: DevicePath): Promise<void>;

  /** Lets the gateway speak for the device; both by id or numId. What is bound stays bound. */
  bindDevice(at: RegistryPath, gatewayId: string, deviceId: string): Promise<void>;
  unbindDevice(at: RegistryPath, gatewayId: string, deviceId: string): Promise<void>;

  listDeviceKeys(at: DevicePath): Promise<readonly DeviceKey[]>;
  addDeviceKey(at: DevicePath, key: DeviceKeyCreation): Promise<DeviceKey>;
  changeDeviceKey(at: DevicePath, keyId: string, change: DeviceKeyChange): Promise<DeviceKey>;
  /** Resolves when the device has the instruction, or the device's Session keeps it. */
  instructDevice(at: DevicePath, order: InstructionOrderInput): Promise<InstructionView>;

  /** @param versionToUpdate Must be the current version; absent: whatever it is. */
  modifyConfig(at: DevicePath, binaryData: Uint8Array, versionToUpdate?: string): Promise<DeviceConfig>;
  listConfigVersions(at: DevicePath, newest?: number): Promise<readonly DeviceConfig[]>;
  listStates(at: DevicePath, newest?: number): Promise<readonly DeviceState[]>;
  /** Resolves when the device acknowledged (QoS 1), or when it was sent (QoS 0). */
  sendCommand(at: DevicePath, binaryData: Uint8Array, subfolder?: string): Promise<void>;
  getSession(at: DevicePath): Promise<SessionAnswer>;
  /** @param newest Records at most, 1 to 50; absent: all that are kept. */
  getAuthentications(at: DevicePath, newest?: number): Promise<AuthenticationLog>;

  createSubscription(at: SubscriptionPath, subscription: SubscriptionCreation): Promise<SubscriptionView>;
  getSubscription(at: SubscriptionPath): Promise<SubscriptionView>;
  listSubscriptions(project: string): Promise<readonly SubscriptionView[]>;
  deleteSubscription(at: SubscriptionPath): Promise<void>;
  pull(at: SubscriptionPath, request: PullRequest): Promise<readonly PulledMessage[]>;
  acknowledge(at: SubscriptionPath, ackIds: readonly string[]): Promise<void>;
  /** @param ackDeadlineSeconds 0 gives the messages back at once, else 10 to 600. */
  modifyAckDeadline(
    at: SubscriptionPath,
    ackIds: readonly string[],
    ackDeadlineSeconds: number,
  ): Promise<void>;

  /** Live messages of a registry until the caller leaves the loop; the server sends no history. */
  tail(at: RegistryPath): AsyncGenerator<TailLine, void, void>;
}

export function createAdminClient(options: AdminClientOptions): AdminClient {
  async function send(method: string, path: string, body?: unknown): Promise<AdminResponse> {
    const headers: Record<string, string> = {
      accept: "application/json",
      authorization: `Bearer ${options.token}`,
    };
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await options.fetch(`${options.baseUrl}/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.status < 200 || response.status > 299) {
      throw parseErrorBody(response.status, await response.text());
    }
    return response;
  }

  // The server is the other half of this package: its answers are trusted to have the shape their type says.
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await send(method, path, body);
    const text = await response.text();
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new AdminApiError(response.status, "UNKNOWN", "the server's answer is not JSON");
    }
  }

  return {
    createRegistry: (at, registry) => call("POST", `mayfly/v1/${locationPath(at)}/registries`, registry),
    getRegistry: (at) => call("GET", `mayfly/v1/${registryPath(at)}`),
    listRegistries: (at, page = {}) =>
      call("GET", `mayfly/v1/${locationPath(at)}/registries${formatQuery({ ...page })}`),
    updateRegistry: (at, change) => call("PATCH", `mayfly/v1/${registryPath(at)}`, change),
    deleteRegistry: async (at) => {
      await call("DELETE", `v1/${registryPath(at)}`);
    },

    createDevice: (at, device) => call("POST", `v1/${registryPath(at)}/devices`, device),
    getDevice: (at) => call("GET", `v1/${devicePath(at)}`),
    getDeviceDetails: (at) => call("GET", `mayfly/v1/${devicePath(at)}`),
    listDevices: async (at, request = {}) => {
      const query = formatQuery({
        pageSize: request.pageSize,
        pageToken: request.pageToken,
        fieldMask: request.fields?.join(","),
        deviceIds: request.deviceIds,
        "gatewayListOptions.gatewayType": request.gatewayType,
        "gatewayListOptions.associationsGatewayId": request.boundToGateway,
        "gatewayListOptions.associationsDeviceId": request.gatewaysOfDevice,
      });
      const page = await call<Partial<DevicePage>>("GET", `v1/${registryPath(at)}/devices${query}`);
      return { ...page, devices: page.devices ?? [] };
    },
    updateDevice: (at, device, fields) =>
      call("PATCH", `v1/${devicePath(at)}${formatQuery({ updateMask: fields.join(",") })}`, device),
    updateDeviceDetails: (at, change) => call("PATCH", `mayfly/v1/${devicePath(at)}`, change),
    deleteDevice: async (at) => {
      await call("DELETE", `v1/${devicePath(at)}`);
    },

    bindDevice: async (at, gatewayId, deviceId) => {
      await call("POST", `v1/${registryPath(at)}:bindDeviceToGateway`, { gatewayId, deviceId });
    },
    unbindDevice: async (at, gatewayId, deviceId) => {
      await call("POST", `v1/${registryPath(at)}:unbindDeviceFromGateway`, { gatewayId, deviceId });
    },

    listDeviceKeys: async (at) =>
      (await call<{ keys: DeviceKey[] }>("GET", `mayfly/v1/${devicePath(at)}/keys`)).keys,
    addDeviceKey: (at, key) => call("POST", `mayfly/v1/${devicePath(at)}/keys`, key),
    instructDevice: (at, order) => call("POST", `mayfly/v1/${devicePath(at)}:instruct`, order),
    changeDeviceKey: (at, keyId, change) => call("PATCH", `mayfly/v1/${keyPath(at, keyId)}`, change),

    modifyConfig: (at, binaryData, versionToUpdate) =>
      call("POST", `v1/${devicePath(at)}:modifyCloudToDeviceConfig`, {
        binaryData: base64Encode(binaryData),
        ...(versionToUpdate === undefined ? {} : { versionToUpdate }),
      }),
    listConfigVersions: async (at, newest) => {
      const query = formatQuery({ numVersions: newest });
      const answer = await call<{ deviceConfigs?: DeviceConfig[] }>(
        "GET",
        `v1/${devicePath(at)}/configVersions${query}`,
      );
      return answer.deviceConfigs ?? [];
    },
    listStates: async (at, newest) => {
      const query = formatQuery({ numStates: newest });
      const answer = await call<{ deviceStates?: DeviceState[] }>(
        "GET",
        `v1/${devicePath(at)}/states${query}`,
      );
      return answer.deviceStates ?? [];
    },
    sendCommand: async (at, binaryData, subfolder = "") => {
      await call("POST", `v1/${devicePath(at)}:sendCommandToDevice`, {
        binaryData: base64Encode(binaryData),
        subfolder,
      });
    },
    getSession: (at) => call("GET", `mayfly/v1/${devicePath(at)}/session`),
    getAuthentications: (at, newest) =>
      call("GET", `mayfly/v1/${devicePath(at)}/authentications${formatQuery({ limit: newest })}`),

    createSubscription: (at, subscription) => call("PUT", `v1/${subscriptionPath(at)}`, subscription),
    getSubscription: (at) => call("GET", `v1/${subscriptionPath(at)}`),
    listSubscriptions: async (project) => {
      const path = `v1/projects/${encodeURIComponent(project)}/subscriptions`;
      return (await call<{ subscriptions?: SubscriptionView[] }>("GET", path)).subscriptions ?? [];
    },
    deleteSubscription: async (at) => {
      await call("DELETE", `v1/${subscriptionPath(at)}`);
    },
    pull: async (at, request) => {
      const path = `v1/${subscriptionPath(at)}:pull`;
      return (
        (await call<{ receivedMessages?: PulledMessage[] }>("POST", path, request)).receivedMessages ?? []
      );
    },
    acknowledge: async (at, ackIds) => {
      await call("POST", `v1/${subscriptionPath(at)}:acknowledge`, { ackIds });
    },
    modifyAckDeadline: async (at, ackIds, ackDeadlineSeconds) => {
      await call("POST", `v1/${subscriptionPath(at)}:modifyAckDeadline`, { ackIds, ackDeadlineSeconds });
    },

    tail: async function* (at) {
      const response = await send("GET", `mayfly/v1/${registryPath(at)}:tail`);
      if (response.body === null) throw new AdminApiError(response.status, "UNKNOWN", "the tail has no body");
      for await (const line of readJsonLines(response.body)) yield line as TailLine;
    },
  };
}

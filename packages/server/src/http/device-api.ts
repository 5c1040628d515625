/**
 * The device HTTPS API, as Cloud IoT Core's HTTP bridge spoke: publishEvent, setState, config.
 *
 * HTTP/1.1 only and tolerant of what firmware in the field sends (bare line feeds and two blanks by the gate
 * before the parser, `gated-socket.ts`; both spellings, both base64 alphabets); answers are printed one member a line because some firmware reads them line by line.
 * The token is judged before the body is read, by the same admission as MQTT, and every refusal looks the
 * same. 200 means durable. No admin route exists here. Signed time (`time-route.ts`) is the one thing given to
 * whoever asks.
 */
import type { TLSSocket, TlsOptions } from "node:tls";
import {
  base64Encode,
  type Clock,
  type DeviceName,
  isEventSubfolder,
  parseDeviceName,
  type Timers,
  utf8Length,
} from "@mayfly/core";
import { refusalOnWire, TokenError } from "@mayfly/core/token";
import { type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import type { Admission, DevicePrincipal } from "../auth/admission.ts";
import type { PeerFacts } from "../auth/authentication-record.ts";
import type { DeviceActivity, DeviceConfigVersion, DeviceRef } from "../registry/model.ts";
import type { LookUp, RegistryStore } from "../registry/store.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import type { Intake, IntakeOutcome, IntakeRefusal } from "../telemetry/intake.ts";
import type { TimeAnswerer } from "../time/time-answerer.ts";
import { ApiError, invalidField } from "./api-error.ts";
import { findBearerToken } from "./authorization.ts";
import {
  findSpeaker,
  type GatewayInfo,
  gatewayInfoOfQuery,
  readGatewayInfo,
  type Speaker,
  type SpeakerRefusal,
} from "./device-gateway.ts";
import { refuseOverRate } from "./device-limits.ts";
import { type DeviceApiObserver, deviceCalls } from "./device-observer.ts";
import {
  addRoutes,
  answerErrors,
  commonOptions,
  formatLastAnswer,
  type OnInternalError,
  takeJsonBodies,
} from "./fastify-app.ts";
import { apiErrorOf } from "./gate-refusal.ts";
import { gateConnections } from "./gated-socket.ts";
import { findObject, integerOf, type JsonFields, readBytes, readObject, readString } from "./json-fields.ts";
import type { Call, Route } from "./route.ts";
import { addTimeRoute } from "./time-route.ts";
import { formatMillis } from "./timestamps.ts";

/** 256 KiB of payload in base64 and some room. */
export const DEVICE_BODY_BYTES_MAX = 512 * 1024;
/** An 8 KiB token and some room. */
export const DEVICE_HEADER_BYTES_MAX = 16 * 1024;
export const EVENT_BYTES_MAX = 256 * 1024;
export const STATE_BYTES_MAX = 64 * 1024;
export const MESSAGE_ID_BYTES_MAX = 128;

/** Connections at once; one more is closed. Each may hold one body. */
export const DEVICE_CONNECTIONS_MAX = 2_000;

export interface DeviceApiPorts {
  readonly admission: Pick<Admission, "admitDeviceToken">;
  readonly intake: Intake;
  readonly rates: DeviceRates;
  readonly deviceLog: DeviceLog;
  readonly registry: Pick<
    RegistryStore,
    "lookUpConfig" | "recordActivity" | "lookUpAdmission" | "lookUpAttachment"
  >;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly observer: DeviceApiObserver;
  readonly timeAnswerer: TimeAnswerer;
  readonly onInternalError: OnInternalError;
}

export interface DeviceApiOptions {
  /** Absent: plain HTTP, for tests. */
  readonly tls?: TlsOptions;
}

/** Firmware of 2017 speaks to the beta's path; the calls are the same. */
const versions = ["v1", "v1beta1"] as const;
const devicePath = "projects/{project}/locations/{location}/registries/{registry}/devices/{device}";

/** @returns A Fastify app that is not listening yet. */
export function createDeviceApi(ports: DeviceApiPorts, options: DeviceApiOptions = {}): FastifyInstance {
  const common = commonOptions(DEVICE_BODY_BYTES_MAX, prettyJson);
  // Strict: the gate before it forgives what firmware needs, and nothing else.
  const http = { insecureHTTPParser: false, maxHeaderSize: 2 * DEVICE_HEADER_BYTES_MAX };
  // Fastify types each kind of server apart; what is used of the app here and outside is the same in all.
  const app = (options.tls === undefined
    ? fastify({ ...common, http })
    : fastify({
        ...common,
        https: { ...options.tls, ...http, ALPNProtocols: ["http/1.1"] },
      })) as unknown as FastifyInstance;

  app.server.maxConnections = DEVICE_CONNECTIONS_MAX;
  gateConnections(app.server, {
    limits: { headBytesMax: DEVICE_HEADER_BYTES_MAX, bodyBytesMax: DEVICE_BODY_BYTES_MAX },
    timers: ports.timers,
    formatRefusal: (refusal) => formatLastAnswer(apiErrorOf(refusal), prettyJson),
    onRefused: (because, remoteAddress) => ports.observer.requestRefused({ because, remoteAddress }),
  });

  const principals = new WeakMap<object, DevicePrincipal>();
  app.addHook("onRequest", async (request) => {
    if (!request.is404 && request.routeOptions.config.permission === "device")
      principals.set(request, await admit(request));
  });

  app.addHook("onSend", async (request, reply) => {
    const { url, config } = request.routeOptions;
    const call = deviceCalls.find((name) => url?.endsWith(name) === true);
    if (call === undefined || config.permission !== "device") return;
    ports.observer.requestAnswered({ call, httpStatus: reply.statusCode });
  });

  async function admit(request: FastifyRequest): Promise<DevicePrincipal> {
    const remoteAddress = request.ip;
    if (request.headers.authorization === undefined) {
      ports.observer.requestRefused({ because: "authorization_missing", remoteAddress });
      throw new ApiError("UNAUTHENTICATED", 'No "authorization" header found.');
    }
    const deviceName = deviceNameOf(request);
    const outcome = await new Promise<Parameters<Parameters<Admission["admitDeviceToken"]>[1]>[0]>(
      (answer) => {
        ports.admission.admitDeviceToken(
          {
            deviceName,
            token: findBearerToken(request) ?? "",
            ownAgent: request.headers["user-agent"]?.startsWith("mayfly/1") ?? false,
            bridge: "http",
            purpose: "request",
            peer: peerOf(request),
          },
          answer,
        );
      },
    );
    if (outcome.kind === "admitted") {
      const keyUsedMs = Math.floor(ports.clock.wallSeconds() * 1000);
      ports.registry.recordActivity({
        device: deviceRefOf(outcome.principal),
        activity: { keyId: outcome.principal.keyId, keyUsedMs },
      });
      return outcome.principal;
    }
    const { because } = outcome;
    const error = because instanceof TokenError ? because : undefined;
    ports.observer.requestRefused({
      because: because instanceof TokenError ? because.code : because,
      deviceName,
      ...(error?.authenticity === undefined ? {} : { authenticity: error.authenticity }),
      remoteAddress,
    });
    if (because === "registry_unavailable") throw registryUnavailable();
    const isNamed = because instanceof TokenError && refusalOnWire[because.code].named;
    throw permissionDenied(
      isNamed ? { "mayfly-refusal": because.code, "mayfly-time": String(outcome.serverSeconds) } : {},
    );
  }

  function principalOf(request: FastifyRequest): DevicePrincipal {
    const principal = principals.get(request);
    if (principal === undefined) throw permissionDenied();
    return principal;
  }

  takeJsonBodies(app);
  answerErrors(app, prettyJson, ports.onInternalError);
  addRoutes(
    app,
    versions.flatMap((version) => deviceApiRoutes(`/${version}/${devicePath}`, ports, principalOf)),
    prettyJson,
  );
  addTimeRoute(app, ports.timeAnswerer, prettyJson);
  return app;
}

function deviceApiRoutes(
  path: string,
  ports: DeviceApiPorts,
  principalOf: (request: FastifyRequest) => DevicePrincipal,
): readonly Route[] {
  const nowMs = () => Math.floor(ports.clock.wallSeconds() * 1000);

  function recordActivity(principal: DevicePrincipal, activity: DeviceActivity): void {
    ports.registry.recordActivity({ device: deviceRefOf(principal), activity });
  }

  /** @throws {ApiError} The gateway may not speak for the device, or nobody could look. */
  function speakerOf(call: Call, info: GatewayInfo | undefined): Promise<Speaker> {
    const { registry, clock, observer } = ports;
    const peer = { deviceName: deviceNameOf(call.request), remoteAddress: call.request.ip };
    const refused = (because: SpeakerRefusal) => observer.requestRefused({ because, ...peer });
    return findSpeaker({ registry, clock, refused }, principalOf(call.request), info);
  }

  return [
    {
      method: "POST",
      path: `${path}:publishEvent`,
      permission: "device",
      async handle(call) {
        const fields = readObject(call.body ?? {}, "", [
          "name",
          "binaryData",
          "subFolder",
          "gatewayInfo",
          "messageId",
        ]);
        const { principal, ...through } = await speakerOf(call, readGatewayInfo(fields));
        const payload = readPayload(fields, EVENT_BYTES_MAX);
        const subfolder = readString(fields, "subFolder");
        if (subfolder !== "" && !isEventSubfolder(subfolder)) {
          throw invalidField("sub_folder", "The sub_folder is invalid.");
        }
        const deviceMessageId = readString(fields, "messageId");
        if (utf8Length(deviceMessageId) > MESSAGE_ID_BYTES_MAX) {
          throw invalidField("message_id", `A message_id has at most ${MESSAGE_ID_BYTES_MAX} bytes.`);
        }
        const event = {
          subfolder,
          payload,
          ...through,
          ...(deviceMessageId === "" ? {} : { deviceMessageId }),
        };
        refuseOverRate(ports.rates.takeMessage(principal, payload.length), tooManyMessages);
        await untilDurable(ports.deviceLog, { principal, gatewayId: through.gatewayId }, "events", (done) =>
          ports.intake.takeEvent(principal, event, done),
        );
        recordActivity(principal, { eventMs: nowMs() });
        return {};
      },
    },
    {
      method: "POST",
      path: `${path}:setState`,
      permission: "device",
      async handle(call) {
        const fields = readObject(call.body ?? {}, "", ["name", "state", "gatewayInfo"]);
        const { principal, gatewayId } = await speakerOf(call, readGatewayInfo(fields));
        const state = findObject(fields, "state", ["binaryData", "updateTime"]);
        if (state === undefined) throw invalidField("state", "The state is missing.");
        const payload = readPayload(state, STATE_BYTES_MAX);
        refuseOverRate(ports.rates.takeState(principal), "The device's state is updated too often.");
        refuseOverRate(ports.rates.takeMessage(principal, payload.length), tooManyMessages);
        await untilDurable(ports.deviceLog, { principal, gatewayId }, "state", (done) =>
          ports.intake.takeState(principal, payload, done, gatewayId),
        );
        recordActivity(principal, { stateMs: nowMs() });
        return {};
      },
    },
    {
      method: "GET",
      path: `${path}/config`,
      permission: "device",
      async handle(call) {
        const { principal } = await speakerOf(call, gatewayInfoOfQuery(call));
        const [text = "", ...more] = call.queryAll("localVersion");
        if (more.length > 0) throw invalidField("local_version", "The local_version is given twice.");
        const localVersion = text === "" ? 0 : integerOf(text);
        if (!Number.isSafeInteger(localVersion) || localVersion < 0) {
          throw invalidField("local_version", "Invalid value at 'local_version' (TYPE_INT64).");
        }
        const config = await new Promise<LookUp<DeviceConfigVersion>>((answer) => {
          ports.registry.lookUpConfig(deviceRefOf(principal), answer);
        });
        if (config === undefined) throw permissionDenied();
        if (config === "unavailable") throw registryUnavailable();
        if (localVersion > config.version) {
          throw new ApiError(
            "OUT_OF_RANGE",
            `The local version ${localVersion} is newer than the latest, ${config.version}.`,
          );
        }
        if (localVersion === config.version) return {};
        recordActivity(principal, { configSendMs: nowMs() });
        return {
          version: String(config.version),
          binaryData: base64Encode(config.binaryData),
          // The official Arduino sample cuts the payload out of its line up to `",`: something must follow it.
          cloudUpdateTime: formatMillis(config.cloudUpdateMs),
        };
      },
    },
  ];
}

/** What a store that did not take a message means to the device: 503 is "later", 400 is "never". */
export const intakeRefusalOnHttp = {
  queue_full: () => new ApiError("UNAVAILABLE", "The server takes no more messages now."),
  disk_full: () => new ApiError("UNAVAILABLE", "The server cannot store messages now."),
  closed: () => new ApiError("UNAVAILABLE", "The server is shutting down."),
  store_failed: () => new ApiError("UNAVAILABLE", "The server cannot store messages now."),
  device_gone: () => permissionDenied(),
  payload_too_large: () => invalidField("binary_data", "The payload is too large."),
} satisfies Record<IntakeRefusal, () => ApiError>;

const tooManyMessages = "The device sends too many messages or bytes.";

async function untilDurable(
  deviceLog: DeviceLog,
  { principal, gatewayId }: { readonly principal: DevicePrincipal; readonly gatewayId: string | undefined },
  kind: "events" | "state",
  take: (done: (outcome: IntakeOutcome) => void) => void,
): Promise<void> {
  const outcome = await new Promise<IntakeOutcome>(take);
  deviceLog.published(principal, "HTTP", kind, outcome, gatewayId);
  if (outcome.kind === "refused") throw intakeRefusalOnHttp[outcome.because]();
}

function readPayload(fields: JsonFields, bytesMax: number): Uint8Array {
  const payload = readBytes(fields, "binaryData");
  if (payload.length <= bytesMax) return payload;
  throw invalidField("binary_data", `The payload has at most ${bytesMax} bytes, not ${payload.length}.`);
}

function deviceNameOf(request: FastifyRequest): DeviceName {
  const {
    project = "",
    location = "",
    registry = "",
    device = "",
  } = request.params as Readonly<Record<string, string>>;
  return parseDeviceName(
    `projects/${project}/locations/${location}/registries/${registry}/devices/${device}`,
  );
}

function peerOf(request: FastifyRequest): PeerFacts {
  // An IPv4 peer of a dual-stack listener, as people write it.
  const remoteAddress = request.ip.replace(/^::ffff:(?=\d+\.)/, "");
  const { socket } = request.raw;
  if (!isTls(socket)) return { remoteAddress };
  const tlsVersion = socket.getProtocol();
  return {
    remoteAddress,
    tlsResumed: socket.isSessionReused(),
    ...(tlsVersion === null ? {} : { tlsVersion }),
  };
}

function isTls(socket: object): socket is Pick<TLSSocket, "getProtocol" | "isSessionReused"> {
  return "isSessionReused" in socket;
}

function deviceRefOf(principal: DevicePrincipal): DeviceRef {
  return { ...principal.registry, device: principal.deviceId };
}

/** The one face of every refusal of a token. */
function permissionDenied(headers: Readonly<Record<string, string>> = {}): ApiError {
  return new ApiError("PERMISSION_DENIED", "The caller does not have permission", { headers });
}

/** Our trouble, whoever asks: nothing was looked up, so nothing is told about anybody. */
function registryUnavailable(): ApiError {
  return new ApiError("UNAVAILABLE", "The server cannot read its registry now.");
}

/** Two blanks of indentation, one member a line, a newline at the end, as Google printed it. */
export function prettyJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

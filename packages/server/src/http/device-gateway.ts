/**
 * On whose behalf a request over HTTP is: the device of the path, or a device and a gateway that speaks for it.
 *
 * `gatewayInfo` says it in two ways (cloud-iot-core.md §5). With `delegatedDeviceId` path and token are the gateway's:
 * the device shows nothing, so its binding is all there is, and only ASSOCIATION_ONLY lets that pass. With `gatewayId`
 * path and token are the device's: it proved itself, and the gateway is its word, which its binding has to bear out. Over
 * HTTP the device must be bound whatever the method says; the rest is the judgement both bridges share
 * (`auth/attachment.ts`).
 *
 * | method of the gateway | `delegatedDeviceId`, gateway's token | `gatewayId`, device's token |
 * |---|---|---|
 * | unspecified | refused | refused |
 * | ASSOCIATION_ONLY | bound, where the registry allows association alone | bound |
 * | DEVICE_AUTH_TOKEN_ONLY | refused: no token of the device | bound |
 * | ASSOCIATION_AND_DEVICE_AUTH_TOKEN | refused: no token of the device | bound |
 *
 * Every refusal looks the same, so that a gateway learns of no device that is not its own; the operator hears why.
 */
import type { Clock } from "@mayfly/core";
import {
  type AdmissionOutcome,
  type DevicePrincipal,
  principalOfNoToken,
  standingOf,
} from "../auth/admission.ts";
import { type AttachmentRefusal, judgeAttachment } from "../auth/attachment.ts";
import type { AttachmentRecord } from "../registry/gateway-store.ts";
import type { AdmissionRecord, DeviceRef } from "../registry/model.ts";
import type { LookUp, RegistryStore } from "../registry/store.ts";
import { ApiError, invalidField } from "./api-error.ts";
import { findObject, type JsonFields, readString } from "./json-fields.ts";
import type { Call } from "./route.ts";

/** Why a gateway may not speak for a device over HTTP. Closed set, fit for a metric's label. */
export type SpeakerRefusal = AttachmentRefusal | "gateway_unknown" | "gateway_blocked";

export interface GatewayInfo {
  readonly kind: "delegatedDeviceId" | "gatewayId";
  /** String id or numId. */
  readonly id: string;
}

/** Whose message it is. */
export interface Speaker {
  /** The device's, without a key where it showed no token. */
  readonly principal: DevicePrincipal;
  /** Device id of the gateway that speaks for it. */
  readonly gatewayId?: string;
}

export interface SpeakerPorts {
  readonly registry: Pick<RegistryStore, "lookUpAdmission" | "lookUpAttachment" | "recordActivity">;
  readonly clock: Pick<Clock, "wallSeconds">;
  /** Told once for each request that is refused here. */
  refused(because: SpeakerRefusal): void;
}

/** `gatewayInfo` of a body. @returns Undefined where neither is set. @throws {ApiError} INVALID_ARGUMENT: both are. */
export function readGatewayInfo(fields: JsonFields): GatewayInfo | undefined {
  const info = findObject(fields, "gatewayInfo", ["delegatedDeviceId", "gatewayId"]);
  if (info === undefined) return undefined;
  return oneOf(readString(info, "delegatedDeviceId"), readString(info, "gatewayId"));
}

/** `gatewayInfo.delegatedDeviceId` or `gatewayInfo.gatewayId` of a query, in either spelling. @throws as for a body. */
export function gatewayInfoOfQuery(call: Call): GatewayInfo | undefined {
  // A message in one parameter is not how a query holds it; passed over, it would answer with the wrong config.
  if ((call.query("gatewayInfo") ?? "") !== "") {
    throw invalidField(
      "gateway_info",
      "Invalid value at 'gateway_info': name gateway_info.gateway_id instead.",
    );
  }
  const [device = "", gateway = ""] = ["delegatedDeviceId", "gatewayId"].map((name) => {
    const [value, ...more] = call.queryAll(`gatewayInfo.${name}`);
    if (more.length > 0) throw invalidField("gateway_info", "The gateway_info is given twice.");
    return value;
  });
  return oneOf(device, gateway);
}

function oneOf(delegatedDeviceId: string, gatewayId: string): GatewayInfo | undefined {
  if (delegatedDeviceId !== "" && gatewayId !== "") {
    throw invalidField(
      "gateway_info",
      "Of gateway_info either delegated_device_id or gateway_id may be set.",
    );
  }
  if (delegatedDeviceId !== "") return { kind: "delegatedDeviceId", id: delegatedDeviceId };
  return gatewayId === "" ? undefined : { kind: "gatewayId", id: gatewayId };
}

/**
 * @param principal Whose path and token it is.
 * @throws {ApiError} FAILED_PRECONDITION: the gateway may not speak for the device. UNAVAILABLE: nobody could look.
 */
export async function findSpeaker(
  ports: SpeakerPorts,
  principal: DevicePrincipal,
  info: GatewayInfo | undefined,
): Promise<Speaker> {
  if (info === undefined) return { principal };
  const found =
    info.kind === "delegatedDeviceId"
      ? await judgeDelegation(ports, principal, info.id)
      : await judgeGateway(ports, principal, info.id);
  if (typeof found === "string") {
    ports.refused(found);
    if (found === "registry_unavailable")
      throw new ApiError("UNAVAILABLE", "The server cannot read its registry now.");
    throw new ApiError("FAILED_PRECONDITION", "Precondition check failed.");
  }
  ports.registry.recordActivity({
    device: { ...found.principal.registry, device: found.principal.deviceId },
    activity: { gatewayId: found.gatewayId, gatewayMs: Math.floor(ports.clock.wallSeconds() * 1000) },
  });
  return found;
}

type Found = Required<Speaker> | SpeakerRefusal;

/** The gateway speaks, the device shows nothing. */
async function judgeDelegation(
  { registry }: SpeakerPorts,
  gateway: DevicePrincipal,
  delegatedDeviceId: string,
): Promise<Found> {
  const gatewayId = gateway.deviceId;
  const record = await lookUpAttachment(
    registry,
    { ...gateway.registry, device: delegatedDeviceId },
    gatewayId,
  );
  const verdict = judgeAttachment(gateway, record, undefined);
  if (verdict.kind === "refused") return verdict.because;
  if (typeof record !== "object") return "registry_unavailable";
  return { principal: principalOfNoToken(record.registry, verdict.device), gatewayId };
}

/** The device speaks, and says through whom. */
async function judgeGateway(
  { registry }: SpeakerPorts,
  principal: DevicePrincipal,
  gatewayId: string,
): Promise<Found> {
  const found = await new Promise<LookUp<AdmissionRecord>>((answer) => {
    registry.lookUpAdmission({ ...principal.registry, device: gatewayId }, answer);
  });
  if (found === "unavailable") return "registry_unavailable";
  if (found?.device === undefined) return "gateway_unknown";
  if (found.device.blocked) return "gateway_blocked";
  const gateway = { policy: found.registry.policy, ...standingOf(found.registry, found.device) };
  const device = { ...principal.registry, device: principal.deviceId };
  const record = await lookUpAttachment(registry, device, found.device.deviceId);
  const shown: AdmissionOutcome = { kind: "admitted", principal, keys: [] };
  const verdict = judgeAttachment(gateway, record, shown);
  if (verdict.kind === "refused") return verdict.because;
  if (typeof record !== "object" || !record.isBound) return "not_bound";
  return { principal, gatewayId: found.device.deviceId };
}

function lookUpAttachment(
  registry: SpeakerPorts["registry"],
  device: DeviceRef,
  gatewayId: string,
): Promise<LookUp<AttachmentRecord>> {
  return new Promise((answer) => registry.lookUpAttachment(device, gatewayId, answer));
}

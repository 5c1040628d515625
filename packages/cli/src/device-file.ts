/**
 * A file of devices as Cloud IoT Core printed them: what each line of it asks to be created.
 *
 * Taken is whatever holds v1 Device resources in JSON: an array, one object a line, or the output of `gcloud iot devices
 * describe --format=json` for many devices one after the other. So the file is read as a row of objects at its top, and
 * what stands between them (brackets, commas, blanks) is passed over; each object knows the line it begins at.
 *
 * Left to others: what the server makes of it, and what of it is there already (`commands/device-import.ts`).
 */
import type { Device, DeviceCreation } from "@mayfly/core/admin";

/** One device of the file, or what is wrong with it. */
export type DeviceEntry =
  | { readonly line: number; readonly device: DeviceCreation }
  | { readonly line: number; readonly trouble: string };

/** Devices of one file. */
export const DEVICE_FILE_ENTRIES_MAX = 100_000;

/** @returns every entry in order; of a text that is no JSON the entry where that shows is the last. */
export function* readDevices(text: string): Generator<DeviceEntry, void, void> {
  let line = 1;
  let counted = 0;
  let depth = 0;
  let start = 0;
  let entries = 0;
  let isInString = false;
  const lineAt = (index: number): number => {
    for (; counted < index; counted++) if (text.charCodeAt(counted) === 0x0a) line += 1;
    return line;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInString) {
      if (character === "\\") at += 1;
      else if (character === '"') isInString = false;
    } else if (character === "{") {
      if (depth === 0) start = at;
      depth += 1;
    } else if (character === "}" && depth > 0) {
      depth -= 1;
      if (depth > 0) continue;
      entries += 1;
      if (entries > DEVICE_FILE_ENTRIES_MAX) {
        yield { line: lineAt(start), trouble: `a file holds ${DEVICE_FILE_ENTRIES_MAX} devices at most` };
        return;
      }
      yield { line: lineAt(start), ...readDevice(text.slice(start, at + 1)) };
    } else if (depth === 0) {
      if (!/[\s,[\]\ufeff]/.test(character ?? "")) {
        yield { line: lineAt(at), trouble: "this is no JSON of devices" };
        return;
      }
    } else if (character === '"') isInString = true;
  }
  if (depth > 0) yield { line: lineAt(start), trouble: "the device that begins here has no end" };
}

/** What differs between a device that is there and the one of the file, by the names of v1. */
export function differencesOf(present: Device, wanted: DeviceCreation): readonly string[] {
  const keysOf = ({ credentials = [] }: Pick<DeviceCreation, "credentials">) =>
    credentials.map(({ publicKey }) => `${publicKey.format} ${publicKey.key.replace(/\s/g, "")}`).sort();
  const facts = {
    credentials: (device: Device | DeviceCreation) => keysOf(device),
    blocked: (device: Device | DeviceCreation) => device.blocked ?? false,
    logLevel: (device: Device | DeviceCreation) => device.logLevel ?? "LOG_LEVEL_UNSPECIFIED",
    metadata: ({ metadata = {} }: Device | DeviceCreation) =>
      Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)),
    gatewayConfig: ({ gatewayConfig }: Device | DeviceCreation) => [
      // A device without a type is no gateway.
      gatewayConfig?.gatewayType === "GATEWAY",
      gatewayConfig?.gatewayAuthMethod ?? "GATEWAY_AUTH_METHOD_UNSPECIFIED",
    ],
  };
  return Object.entries(facts)
    .filter(([, fact]) => JSON.stringify(fact(present)) !== JSON.stringify(fact(wanted)))
    .map(([name]) => name);
}

/** Only what a create call may set: what the server wrote there, times and numId, is not carried over. */
function readDevice(json: string): { readonly device: DeviceCreation } | { readonly trouble: string } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { trouble: "this is no JSON" };
  }
  if (!isDevice(value))
    return {
      trouble: 'a device has an "id", and each of its "credentials" a "publicKey" with "format" and "key"',
    };
  const { id, credentials, blocked, logLevel, metadata, gatewayConfig, config } = value;
  const { gatewayType, gatewayAuthMethod } = gatewayConfig ?? {};
  const gateway = {
    ...(gatewayType === undefined ? {} : { gatewayType }),
    ...(gatewayAuthMethod === undefined ? {} : { gatewayAuthMethod }),
  };
  return {
    device: {
      id,
      ...(credentials === undefined ? {} : { credentials }),
      ...(blocked === undefined ? {} : { blocked }),
      ...(logLevel === undefined ? {} : { logLevel }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(Object.keys(gateway).length === 0 ? {} : { gatewayConfig: gateway }),
      ...(config?.binaryData === undefined ? {} : { config: { binaryData: config.binaryData } }),
    },
  };
}

/** Names it, and nests where nesting is looked into; the server checks every value. */
function isDevice(value: unknown): value is Device {
  if (!isObject(value) || typeof value["id"] !== "string") return false;
  const { credentials = [], metadata = {}, gatewayConfig = {}, config = {} } = value;
  return (
    Array.isArray(credentials) &&
    credentials.every((one) => isObject(one) && isObject(one["publicKey"]) && isKey(one["publicKey"])) &&
    [metadata, gatewayConfig, config].every(isObject)
  );
}

function isKey(publicKey: Readonly<Record<string, unknown>>): boolean {
  return typeof publicKey["key"] === "string" && typeof publicKey["format"] === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

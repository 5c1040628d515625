/**
 * Ids and resource names, by the rules of Cloud IoT Core.
 *
 * A registry is `projects/P/locations/L/registries/R`; a device adds `/devices/D`, where D is the id its
 * owner chose or the number the server gave. The two cannot be confused: an id begins with a letter.
 * The same text is the MQTT Client Identifier, the path of the HTTP bridge and the token's `sub`.
 *
 * Registry and device ids: `[a-zA-Z][-a-zA-Z0-9._+~%]+`, 3 to 255 characters, not beginning with `goog`;
 * case-sensitive. For projects and locations IoT Core published no rule of its own; ours are below.
 *
 * Left to others: whether the thing named exists, and which projects this server serves.
 */

declare const brand: unique symbol;
export type ProjectId = string & { readonly [brand]: "ProjectId" };
export type LocationId = string & { readonly [brand]: "LocationId" };
export type RegistryId = string & { readonly [brand]: "RegistryId" };
export type DeviceId = string & { readonly [brand]: "DeviceId" };

export type IdErrorCode = "id_malformed";
/** The part of a name that broke a rule; `name` when the whole has another shape. */
export type IdPart = "project" | "location" | "registry" | "device" | "name";

/** A text is not the id or name it should be. `message` may be shown to whoever sent the text. */
export class IdError extends Error {
  override readonly name = "IdError";
  readonly code: IdErrorCode = "id_malformed";
  readonly part: IdPart;

  constructor(part: IdPart, message: string) {
    super(message);
    this.part = part;
  }
}

export interface RegistryName {
  readonly project: string;
  readonly location: string;
  readonly registry: string;
}

export interface DeviceName extends RegistryName {
  /** String id or numId ({@link isDeviceNumId}). */
  readonly device: string;
}

/** Bounds of registry and device ids, in characters; all of them are ASCII, so bytes as well. */
export const idLengthMin = 3;
export const idLengthMax = 255;
const placeLengthMax = 63;

/**
 * @param text 1 to 63 of `[a-z0-9.:-]`, first a letter or digit, last not a hyphen: Google's project ids
 *   (also domain-scoped, `example.com:thing`) and project numbers, and short ones for a server of one's own.
 * @throws {IdError}
 */
export function parseProjectId(text: string): ProjectId {
  if (isPlace(text, ".:-")) return text as ProjectId;
  throw new IdError("project", "a project id has 1 to 63 of a-z 0-9 . : - and begins with a letter or digit");
}

/** @param text 1 to 63 of `[a-z0-9-]`, first a letter or digit, last not a hyphen. @throws {IdError} */
export function parseLocationId(text: string): LocationId {
  if (isPlace(text, "-")) return text as LocationId;
  throw new IdError("location", "a location has 1 to 63 of a-z 0-9 - and begins with a letter or digit");
}

/** @throws {IdError} */
export function parseRegistryId(text: string): RegistryId {
  if (isRegistryOrDeviceId(text)) return text as RegistryId;
  throw new IdError("registry", `a registry id ${ruleInWords}`);
}

/** @param text The string id; a numId is refused. @throws {IdError} */
export function parseDeviceId(text: string): DeviceId {
  if (isRegistryOrDeviceId(text)) return text as DeviceId;
  throw new IdError("device", `a device id ${ruleInWords}`);
}

const ruleInWords =
  "begins with a letter, has 3 to 255 of a-z A-Z 0-9 - . _ + ~ % and does not begin with 'goog'";

/** Is this a server-given number: 1 to 2^64 - 1 in decimal digits, no leading zero? */
export function isDeviceNumId(text: string): boolean {
  if (text.length === 0 || text.length > numIdMax.length || text.charCodeAt(0) === 0x30) return false;
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) return false;
  }
  return text.length < numIdMax.length || text <= numIdMax;
}

const numIdMax = "18446744073709551615";

/**
 * The MQTT Client Identifier of a device: its whole name, by string id or numId.
 *
 * @throws {IdError}
 */
export function parseClientIdentifier(text: string): DeviceName {
  return parseDeviceName(text);
}

/** @param text `projects/P/locations/L/registries/R/devices/D`; D a string id or numId. @throws {IdError} */
export function parseDeviceName(text: string): DeviceName {
  const parts = splitName(text, 8);
  if (parts === undefined || parts[6] !== "devices") {
    throw new IdError("name", "a device name is projects/P/locations/L/registries/R/devices/D");
  }
  const device = parts[7] ?? "";
  return { ...registryOf(parts), device: isDeviceNumId(device) ? device : parseDeviceId(device) };
}

/** @param text `projects/P/locations/L/registries/R`. @throws {IdError} */
export function parseRegistryName(text: string): RegistryName {
  const parts = splitName(text, 6);
  if (parts === undefined) {
    throw new IdError("name", "a registry name is projects/P/locations/L/registries/R");
  }
  return registryOf(parts);
}

/** @returns `projects/P/locations/L/registries/R`. */
export function formatRegistryName(name: RegistryName): string {
  return `projects/${name.project}/locations/${name.location}/registries/${name.registry}`;
}

/** @returns `projects/P/locations/L/registries/R/devices/D`. */
export function formatDeviceName(name: DeviceName): string {
  return `${formatRegistryName(name)}/devices/${name.device}`;
}

// The longest name a rule allows; a longer text is refused before it is cut in pieces.
const nameLengthMax = "projects//locations//registries//devices/".length + 2 * (placeLengthMax + idLengthMax);

function splitName(text: string, count: number): readonly string[] | undefined {
  if (text.length > nameLengthMax) return undefined;
  const parts = text.split("/");
  const fits =
    parts.length === count &&
    parts[0] === "projects" &&
    parts[2] === "locations" &&
    parts[4] === "registries";
  return fits ? parts : undefined;
}

function registryOf(parts: readonly string[]): RegistryName {
  return {
    project: parseProjectId(parts[1] ?? ""),
    location: parseLocationId(parts[3] ?? ""),
    registry: parseRegistryId(parts[5] ?? ""),
  };
}

function isRegistryOrDeviceId(text: string): boolean {
  if (text.length < idLengthMin || text.length > idLengthMax || text.startsWith("goog")) return false;
  return isIdWord(text);
}

/** `[a-zA-Z][-a-zA-Z0-9._+~%]+`, the character rule shared by ids, metadata keys and subfolders. */
export function isIdWord(text: string): boolean {
  if (text.length < 2 || !isLetter(text.charCodeAt(0))) return false;
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isLetter(code) && !isDigit(code) && !"-._+~%".includes(text.charAt(i))) return false;
  }
  return true;
}

function isPlace(text: string, punctuation: string): boolean {
  if (text.length === 0 || text.length > placeLengthMax || text.endsWith("-")) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isWord = isDigit(code) || (code >= 0x61 && code <= 0x7a);
    if (!isWord && (i === 0 || !punctuation.includes(text.charAt(i)))) return false;
  }
  return true;
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return code < 0x80 && lower >= 0x61 && lower <= 0x7a;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

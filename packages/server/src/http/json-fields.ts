/**
 * Reads request JSON the way proto3 JSON is read: both spellings of a name, `null` as absent, enums by name
 * or number, 64-bit integers as text or number, bytes in either base64 alphabet.
 *
 * A member no reader knows is refused as Google refused it, since a typing mistake that is silently ignored
 * ("metdata") is worse than an error. Members a reader knows but the server writes itself are passed over.
 */
import { BytesError, base64LenientDecode } from "@mayfly/core";
import { invalidField } from "./api-error.ts";

/** How much of a value that is no base64 its refusal repeats. */
export const QUOTED_CHARACTERS_MAX = 32;

/** A JSON object being read. `path` is its dotted snake_case place in the request, "" at the top. */
export interface JsonFields {
  readonly path: string;
  readonly values: ReadonlyMap<string, unknown>;
}

/**
 * @param known The members it may have, camelCase.
 * @throws {ApiError} INVALID_ARGUMENT: not an object, an unknown member, or one in both spellings.
 */
export function readObject(value: unknown, path: string, known: readonly string[]): JsonFields {
  const place = path === "" ? "(request body)" : path;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidField(place, `Invalid value at '${place}': a JSON object is expected.`);
  }
  const values = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) {
    const camel = toCamelCase(name);
    if (!known.includes(camel)) {
      const at = path === "" ? "" : ` at '${path}'`;
      throw invalidField(
        place,
        `Invalid JSON payload received. Unknown name "${name.slice(0, 64)}"${at}: Cannot find field.`,
      );
    }
    if (values.has(camel)) {
      throw invalidField(fieldPath(path, camel), `'${fieldPath(path, camel)}' is given in both spellings.`);
    }
    if (member !== null) values.set(camel, member);
  }
  return { path, values };
}

export function findObject(
  fields: JsonFields,
  name: string,
  known: readonly string[],
): JsonFields | undefined {
  const value = fields.values.get(name);
  return value === undefined ? undefined : readObject(value, fieldPath(fields.path, name), known);
}

/** @param max Most elements. @returns Each element, read as an object; [] when absent. */
export function readObjects(
  fields: JsonFields,
  name: string,
  known: readonly string[],
  max: number,
): readonly JsonFields[] {
  return readList(fields, name, max).map((one, index) =>
    readObject(one, `${fieldPath(fields.path, name)}[${index}]`, known),
  );
}

/** @returns [] when absent. */
export function readStrings(fields: JsonFields, name: string, max: number): readonly string[] {
  return readList(fields, name, max).map((one) => {
    if (typeof one !== "string") throw wrongType(fields, name, "TYPE_STRING");
    return one;
  });
}

function readList(fields: JsonFields, name: string, max: number): readonly unknown[] {
  const value = fields.values.get(name);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrongType(fields, name, "TYPE_LIST");
  if (value.length > max) {
    const path = fieldPath(fields.path, name);
    throw invalidField(path, `'${path}' has ${value.length} elements; at most ${max} are taken.`);
  }
  return value;
}

/** @returns "" when absent. */
export function readString(fields: JsonFields, name: string): string {
  return findString(fields, name) ?? "";
}

export function findString(fields: JsonFields, name: string): string | undefined {
  const value = fields.values.get(name);
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(fields, name, "TYPE_STRING");
}

export function findBoolean(fields: JsonFields, name: string): boolean | undefined {
  const value = fields.values.get(name);
  if (value === undefined || typeof value === "boolean") return value;
  throw wrongType(fields, name, "TYPE_BOOL");
}

/** A whole number, as a number or as decimal text. @throws {ApiError} Outside `min` to `max`. */
export function findInteger(fields: JsonFields, name: string, min: number, max: number): number | undefined {
  const value = fields.values.get(name);
  if (value === undefined) return undefined;
  const number = typeof value === "string" ? integerOf(value) : value;
  const path = fieldPath(fields.path, name);
  if (typeof number !== "number" || !Number.isSafeInteger(number))
    throw wrongType(fields, name, "TYPE_INT64");
  if (number < min || number > max) throw invalidField(path, `'${path}' must be ${min} to ${max}.`);
  return number;
}

/** Decimal text to a number; NaN when it is anything else. */
export function integerOf(text: string): number {
  return /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

/**
 * An enum by name or by its protobuf number.
 *
 * @param numbers Name → number; the name numbered 0 is the answer when the member is absent.
 */
export function readEnum<Name extends string>(
  fields: JsonFields,
  name: string,
  numbers: Readonly<Record<Name, number>>,
): Name {
  const value = fields.values.get(name) ?? 0;
  for (const one of Object.keys(numbers) as Name[]) {
    if (value === one || value === numbers[one] || value === String(numbers[one])) return one;
  }
  throw wrongType(fields, name, "TYPE_ENUM");
}

/** @returns Empty when absent. @throws {ApiError} INVALID_ARGUMENT in the words Google used. */
export function readBytes(fields: JsonFields, name: string): Uint8Array {
  const text = findString(fields, name) ?? "";
  try {
    return base64LenientDecode(text);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    const path = fieldPath(fields.path, name);
    throw invalidField(
      path,
      `Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed for "${quoted(text)}"`,
    );
  }
}

/** The caller's own text back to the caller, as Google did, but never a payload of any length; no log has it. */
function quoted(text: string): string {
  return text.length <= QUOTED_CHARACTERS_MAX ? text : `${text.slice(0, QUOTED_CHARACTERS_MAX)}…`;
}

const epochMs = 0;

/**
 * RFC 3339 to whole seconds since the epoch.
 *
 * @returns `undefined` when absent, `null` for the epoch itself, which Cloud IoT Core used for "never".
 */
export function findTimeSeconds(fields: JsonFields, name: string): number | null | undefined {
  const text = findString(fields, name);
  if (text === undefined) return undefined;
  if (text === "") return null;
  const ms = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(ms) || ms < epochMs) throw wrongType(fields, name, "Timestamp");
  return ms === epochMs ? null : Math.floor(ms / 1000);
}

function wrongType(fields: JsonFields, name: string, type: string): Error {
  const path = fieldPath(fields.path, name);
  return invalidField(path, `Invalid value at '${path}' (${type}).`);
}

function fieldPath(path: string, camel: string): string {
  const snake = camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return path === "" ? snake : `${path}.${snake}`;
}

/** `snake_case` and `camelCase` to camelCase. */
export function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
}

/**
 * What an attach shows: `{"authorization": "<token of the device>"}`, or nothing (cloud-iot-core.md §6).
 */
import { BytesError, utf8Decode } from "@mayfly/core";
import { attachBytesMax } from "./limits.ts";

/**
 * @returns the device's token, "" where none was shown; undefined where the payload is too large, or is no JSON object
 * with a text of that name.
 */
export function readAttach(payload: Uint8Array): string | undefined {
  if (payload.length > attachBytesMax) return undefined;
  const text = textOf(payload);
  if (text === undefined || text.trim() === "") return text?.trim();
  const value = jsonOf(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const authorization: unknown = Object.hasOwn(value, "authorization")
    ? Reflect.get(value, "authorization")
    : "";
  return typeof authorization === "string" ? authorization : undefined;
}

function textOf(payload: Uint8Array): string | undefined {
  try {
    return utf8Decode(payload);
  } catch (error) {
    if (error instanceof BytesError) return undefined;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Page sizes as list calls ask for them: 0 or nothing means the default, more than the maximum means the maximum.
 */
import { invalidField } from "./api-error.ts";
import { integerOf } from "./json-fields.ts";
import type { Call } from "./route.ts";

export const PAGE_SIZE_DEFAULT = 100;
export const PAGE_TOKEN_CHARACTERS_MAX = 1024;

/** @throws {ApiError} INVALID_ARGUMENT: not a number, negative, or a token no server of ours made. */
export function readPage(call: Call, sizeMax: number): { readonly size: number; readonly token?: string } {
  const asked = readCount(call, "pageSize");
  const token = call.query("pageToken") ?? "";
  if (token.length > PAGE_TOKEN_CHARACTERS_MAX)
    throw invalidField("page_token", "The page_token is invalid.");
  const size = asked === 0 ? Math.min(PAGE_SIZE_DEFAULT, sizeMax) : Math.min(asked, sizeMax);
  return token === "" ? { size } : { size, token };
}

/** A count in the query: 0 when absent. @throws {ApiError} INVALID_ARGUMENT */
export function readCount(call: Call, name: string): number {
  const text = call.query(name) ?? "";
  if (text === "") return 0;
  const count = integerOf(text);
  if (Number.isSafeInteger(count) && count >= 0 && count <= 0x7fffffff) return count;
  throw invalidField(name, `Invalid value at '${name}' (TYPE_INT32).`);
}

/**
 * Why the gate of the device listener lets a request not through, and what the client hears of it: one table.
 *
 * The sentences are for the person who debugs firmware: they name the rule, never the bytes.
 */
import type { CanonicalStatus } from "@mayfly/core/admin";
import { ApiError } from "./api-error.ts";

export type GateRefusal =
  | "carriage_return_alone"
  | "control_character"
  | "blank_lines_too_many"
  | "head_too_large"
  | "headers_too_many"
  | "request_line"
  | "version"
  | "method_unknown"
  | "target"
  | "header_folded"
  | "header_name"
  | "header_repeated"
  | "host"
  | "expectation"
  | "framing_twice"
  | "content_length"
  | "transfer_encoding"
  | "chunk_malformed"
  | "body_too_large"
  | "too_slow";

const invalid = "INVALID_ARGUMENT";

export const gateRefusalOnHttp = {
  carriage_return_alone: [400, invalid, "A carriage return stands without its line feed."],
  control_character: [400, invalid, "The head of the request holds a control character."],
  blank_lines_too_many: [400, invalid, "Too many blank lines before a request."],
  head_too_large: [431, invalid, "The head of the request is too large."],
  headers_too_many: [431, invalid, "The request has too many header lines."],
  request_line: [400, invalid, "The request line is malformed."],
  version: [505, "UNIMPLEMENTED", "Only HTTP/1.1 and HTTP/1.0 are served here."],
  method_unknown: [501, "UNIMPLEMENTED", "The method is not known here."],
  target: [400, invalid, "The request target is malformed."],
  header_folded: [400, invalid, "A header line begins with a blank."],
  header_name: [400, invalid, "The name of a header is malformed."],
  header_repeated: [400, invalid, "A header that may stand once stands twice."],
  host: [400, invalid, "The Host header is missing or malformed."],
  expectation: [417, invalid, "The only expectation known here is 100-continue."],
  framing_twice: [400, invalid, "Transfer-Encoding and Content-Length must not be sent together."],
  content_length: [400, invalid, "The Content-Length is malformed."],
  transfer_encoding: [400, invalid, "The only Transfer-Encoding is chunked, in HTTP/1.1."],
  chunk_malformed: [400, invalid, "The chunked body is malformed."],
  body_too_large: [400, invalid, "Request payload size exceeds the limit."],
  too_slow: [408, "DEADLINE_EXCEEDED", "The request took too long to arrive."],
} as const satisfies Record<GateRefusal, readonly [number, CanonicalStatus, string]>;

export function apiErrorOf(refusal: GateRefusal): ApiError {
  const [httpStatus, status, message] = gateRefusalOnHttp[refusal];
  return new ApiError(status, message, { httpStatus });
}

/**
 * A token in words: what its header, claims and times say, for somebody who wonders why it is refused.
 *
 * Nothing here is verified, and the first line says so. The signature itself is never shown.
 */
import type { ParsedToken } from "@mayfly/core/token";
import { formatDuration, formatRelative } from "./output.ts";

/** @param now Seconds since 1970. @returns One line each, none with the token, a key or a signature. */
export function describeToken(token: ParsedToken, now: number): readonly string[] {
  const { header, claims } = token;
  const lines = ["not verified: this is what the token says, not whether it is true"];
  lines.push(
    `header     alg ${shown(header["alg"])}, typ ${shown(header["typ"])}, kid ${shown(header["kid"])}`,
  );
  const strange = Object.keys(header).filter((name) => !["alg", "typ", "kid"].includes(name));
  if (strange.length > 0)
    lines.push(`           further members: ${strange.map((name) => shown(name)).join(", ")}`);
  lines.push(`aud        ${shown(claims["aud"])} (the project it is for)`);
  lines.push(
    `sub        ${claims["sub"] === undefined ? "absent: it names no device" : shown(claims["sub"])}`,
  );
  lines.push(describeInstant("iat", "issued", claims["iat"], now));
  if (claims["nbf"] !== undefined) lines.push(describeInstant("nbf", "not before", claims["nbf"], now));
  lines.push(describeInstant("exp", "expires", claims["exp"], now));
  const [iat, exp] = [secondsOf(claims["iat"]), secondsOf(claims["exp"])];
  if (iat !== undefined && exp !== undefined)
    lines.push(`lifetime   ${exp > iat ? formatDuration(exp - iat) : "none: exp is not after iat"}`);
  const u = claims["u"];
  if (typeof u === "number")
    lines.push(`u          issued with a clock that may be wrong by ${formatDuration(u)}`);
  const others = Object.keys(claims).filter(
    (name) => !["aud", "sub", "iat", "nbf", "exp", "u"].includes(name),
  );
  if (others.length > 0)
    lines.push(`others     ${others.map((name) => shown(name)).join(", ")} (ignored by the bridge)`);
  lines.push(
    `signature  ${token.signature.length} bytes${header["alg"] === "ES256" && token.signature.length !== 64 ? "; ES256 wants R‖S, 64 bytes" : ""}`,
  );
  if (token.leniencies.length > 0)
    lines.push(`form       ${token.leniencies.join(", ")}: strict registries refuse this`);
  return lines;
}

function describeInstant(claim: string, verb: string, value: unknown, now: number): string {
  const name = claim.padEnd(11);
  const seconds = secondsOf(value);
  if (seconds === undefined)
    return `${name}${value === undefined ? "absent" : `${shown(value)}, not a number of seconds`}`;
  const date = new Date(seconds * 1000);
  const when = Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString();
  const past = claim === "exp" && seconds <= now ? "expired" : verb;
  const text = typeof value === "string" ? "; written as a string, which strict registries refuse" : "";
  return `${name}${when}, ${past} ${formatRelative(seconds - now)}${text}`;
}

function secondsOf(value: unknown): number | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

const SHOWN_CHARACTERS_MAX = 200;

/** A value out of a token, fit for a terminal: quoted, control characters escaped, bounded. */
function shown(value: unknown): string {
  if (value === undefined) return "absent";
  const text = JSON.stringify(value);
  const plain = /^"[\w./:@%+~-]+"$/.test(text) ? text.slice(1, -1) : text;
  return plain.length > SHOWN_CHARACTERS_MAX ? `${plain.slice(0, SHOWN_CHARACTERS_MAX)}…` : plain;
}

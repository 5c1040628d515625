/**
 * The packets of SNTP: what is asked, and what may be believed of an answer (RFC 5905 §7.3, §8 and §14).
 *
 * The client's transmit timestamp is not the time but 64 random bits, which the server returns as its origin: an
 * answer that carries them was made after the question was sent, by somebody who saw it. Nothing else in a packet
 * is looked at before that, and a server's own clock is in none of the local instants: those are the monotonic
 * clock's, so that an unset clock measures as well as a set one.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 1 | leap indicator (2 bits), version (3), mode (3) |
 * | 1 | 1 | stratum |
 * | 4, 8 | 4, 4 | root delay, root dispersion, short format |
 * | 12 | 4 | reference identifier: of stratum 0 the kiss code, ASCII |
 * | 24 | 8 | origin: the transmit timestamp of the question |
 * | 32, 40 | 8, 8 | receive, transmit |
 *
 * Left to others: which of several answers and servers to believe (`clock-filter.ts`, `agreement.ts`).
 */
import type { NumericDate, Random } from "@mayfly/core";
import type { TimeSample } from "../time-sample.ts";
import { isZeroTimestamp, ntpTimestampBytes, readNtpShort, readNtpTimestamp } from "./ntp-timestamp.ts";

export const ntpPacketBytes = 48;
/** Round trips of this length and more are not believed; nor is waited longer for an answer. */
export const delaySecondsMax = 1;
/** RFC 5905 MAXDIST: an answer that may be this wrong or more is none. */
export const rootDistanceSecondsMax = 1.5;
/** A microcontroller counts whole milliseconds, so each instant read from its clock may be this much late. */
const tickSeconds = 0.001;

/** Leap indicator 0, version 4, mode 3: a client's. */
const clientFirstByte = 0x23;
const serverMode = 4;
const versionMin = 3;
const versionMax = 4;
const leapUnsynchronised = 3;
const stratumMax = 15;

const stratumAt = 1;
const rootDelayAt = 4;
const rootDispersionAt = 8;
const referenceAt = 12;
const originAt = 24;
const receiveAt = 32;
const transmitAt = 40;

/** Not an answer to this question, and no reason to stop waiting for one. */
export type NtpForeignness = "wrong_length" | "wrong_origin";

/** An answer to this question that is not believed. */
export type NtpRefusal =
  /** Not a server's answer, or not of version 3 or 4. */
  | "wrong_mode"
  | "wrong_version"
  /** The server says that it does not know the time: leap indicator 3, stratum 16 and above, or 0 without a code. */
  | "unsynchronised"
  | "zero_transmit"
  /** The server claims to have thought longer than we waited, or the round trip took a second. */
  | "negative_delay"
  | "long_delay"
  /** Half the round trip, half the root delay and the root dispersion are 1.5 s or more. */
  | "too_uncertain"
  /** A kiss code other than those of {@link NtpKiss}. */
  | "unknown_kiss";

/** What a server asks of its clients (RFC 5905 §7.4): `stop` for DENY and RSTR, `slower` for RATE. */
export type NtpKiss = "stop" | "slower";

export type NtpVerdict =
  | { readonly kind: "foreign"; readonly because: NtpForeignness }
  | { readonly kind: "refused"; readonly because: NtpRefusal }
  | { readonly kind: "kiss"; readonly kiss: NtpKiss }
  | { readonly kind: "told"; readonly sample: TimeSample };

/** @returns 48 bytes that tell nothing of this device: zero but for version, mode and the random 64 bits. */
export function encodeNtpRequest(random: Random): Uint8Array {
  const packet = new Uint8Array(ntpPacketBytes);
  packet[0] = clientFirstByte;
  random.fill(packet.subarray(transmitAt, transmitAt + ntpTimestampBytes));
  return packet;
}

/**
 * @param bytes What came, from anybody.
 * @param request What was sent, of {@link encodeNtpRequest}, and on the monotonic clock when; and when `bytes` came.
 * @param near The date whose neighbourhood a timestamp means.
 */
export function judgeNtpAnswer(
  bytes: Uint8Array,
  request: Uint8Array,
  sentMillis: number,
  receivedMillis: number,
  near: NumericDate,
): NtpVerdict {
  if (bytes.length !== ntpPacketBytes) return { kind: "foreign", because: "wrong_length" };
  if (!isOriginOurs(bytes, request)) return { kind: "foreign", because: "wrong_origin" };
  const packet = new DataView(bytes.buffer, bytes.byteOffset, ntpPacketBytes);
  const first = packet.getUint8(0);
  const version = (first >> 3) & 7;
  if ((first & 7) !== serverMode) return refused("wrong_mode");
  if (version < versionMin || version > versionMax) return refused("wrong_version");
  const stratum = packet.getUint8(stratumAt);
  // Before the leap indicator, which a kiss sets to 3 as well.
  if (stratum === 0) return readKiss(packet);
  if (first >> 6 === leapUnsynchronised || stratum > stratumMax) return refused("unsynchronised");
  if (isZeroTimestamp(packet, transmitAt)) return refused("zero_transmit");
  return readTime(packet, (receivedMillis - sentMillis) / 1000, receivedMillis, near);
}

function isOriginOurs(answer: Uint8Array, request: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < ntpTimestampBytes; i++) {
    difference |= (answer[originAt + i] ?? 0) ^ (request[transmitAt + i] ?? 0);
  }
  return difference === 0;
}

function readKiss(packet: DataView): NtpVerdict {
  switch (packet.getUint32(referenceAt)) {
    case 0x44454e59: // DENY
    case 0x52535452: // RSTR
      return { kind: "kiss", kiss: "stop" };
    case 0x52415445: // RATE
      return { kind: "kiss", kiss: "slower" };
    case 0: // No code at all: what chronyd sends while it has no source.
      return refused("unsynchronised");
    default:
      return refused("unknown_kiss");
  }
}

/** Offset and delay of RFC 5905 §8, with the instant of receipt in the place of an offset. */
function readTime(
  packet: DataView,
  elapsedSeconds: number,
  receivedMillis: number,
  near: NumericDate,
): NtpVerdict {
  const received = readNtpTimestamp(packet, receiveAt, near);
  const transmitted = readNtpTimestamp(packet, transmitAt, near);
  const delaySeconds = elapsedSeconds - (transmitted - received);
  // Less than zero by our two ticks is what counting does to a near server's answer.
  if (delaySeconds < -2 * tickSeconds) return refused("negative_delay");
  if (delaySeconds >= delaySecondsMax) return refused("long_delay");
  const halfDelaySeconds = Math.max(delaySeconds, 0) / 2;
  const boundSeconds =
    halfDelaySeconds +
    readNtpShort(packet, rootDelayAt) / 2 +
    readNtpShort(packet, rootDispersionAt) +
    2 * tickSeconds;
  if (boundSeconds >= rootDistanceSecondsMax) return refused("too_uncertain");
  const sample = { atMillis: receivedMillis, seconds: transmitted + halfDelaySeconds, boundSeconds };
  return { kind: "told", sample };
}

function refused(because: NtpRefusal): NtpVerdict {
  return { kind: "refused", because };
}

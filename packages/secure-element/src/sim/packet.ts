/**
 * Command groups in, answers out: `count opcode param1 param2L param2H data… crcL crcH` and `count data… crcL crcH`.
 *
 * Written from the reference (§1.4), apart from the driver's packet code on purpose: a mistake shared by both would
 * be one that no test sees. Only the CRC is common.
 */

import { crc16 } from "../crc16.ts";
import type { Command } from "./chip-core.ts";
import { STATUS_OF_SURPLUS_BYTES } from "./doubts.ts";
import type { ChipStatus } from "./status.ts";
import { chipStatus } from "./status.ts";

export const COMMAND_COUNT_MIN = 7;
/** The longest `count`: a command of 144 data bytes. */
export const COMMAND_COUNT_MAX = 151;

export type Group =
  | { readonly kind: "unfinished" }
  | { readonly kind: "refused"; readonly status: ChipStatus }
  | { readonly kind: "command"; readonly command: Command };

/** Judges the bytes after word address 03: length first, then CRC, which comes before everything a command could say. */
export function judgeGroup(bytes: Uint8Array): Group {
  const count = bytes[0];
  if (count === undefined) return { kind: "unfinished" };
  if (count < COMMAND_COUNT_MIN || count > COMMAND_COUNT_MAX)
    return { kind: "refused", status: chipStatus.communication };
  if (bytes.length < count) return { kind: "unfinished" };
  if (bytes.length > count) return { kind: "refused", status: STATUS_OF_SURPLUS_BYTES };

  const crc = crc16(bytes.subarray(0, count - 2));
  if (bytes[count - 2] !== (crc & 0xff) || bytes[count - 1] !== crc >> 8) {
    return { kind: "refused", status: chipStatus.communication };
  }
  const command: Command = {
    opcode: bytes[1] ?? 0,
    param1: bytes[2] ?? 0,
    param2: (bytes[3] ?? 0) | ((bytes[4] ?? 0) << 8),
    data: bytes.slice(5, count - 2),
  };
  return { kind: "command", command };
}

/** The answer as it lies in the output buffer. */
export function frameAnswer(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 3);
  frame[0] = frame.length;
  frame.set(data, 1);
  const crc = crc16(frame.subarray(0, data.length + 1));
  frame[data.length + 1] = crc & 0xff;
  frame[data.length + 2] = crc >> 8;
  return frame;
}

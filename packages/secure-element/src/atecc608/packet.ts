/**
 * Packets of the I2C transport (atecc608.md §1.4).
 *
 * A command is `03 | count opcode param1 param2L param2H data… crcL crcH`: the word address 03 is neither counted nor
 * summed. A response is `count data… crcL crcH`; of four bytes, it is a status.
 */
import { crc16 } from "../crc16.ts";

export const wordAddresses = { reset: 0x00, sleep: 0x01, idle: 0x02, command: 0x03 } as const;

/** The most data a command takes: Verify external, signature and public key. */
export const COMMAND_DATA_BYTES_MAX = 128;
/** Count, status, CRC. */
export const STATUS_RESPONSE_BYTES = 4;
/** The longest response we know of, by its count: SHA context, 75 and a little air. */
export const RESPONSE_BYTES_MAX = 131;
/** What a response has around its data: count and CRC. */
export const RESPONSE_FRAME_BYTES = 3;

/**
 * @param param2 0 to 65535, sent low byte first.
 * @param data At most {@link COMMAND_DATA_BYTES_MAX} bytes.
 * @returns What follows the I2C address: word address, group, CRC.
 */
export function encodeCommand(opcode: number, param1: number, param2: number, data: Uint8Array): Uint8Array {
  const count = 7 + data.length;
  const frame = new Uint8Array(1 + count);
  frame[0] = wordAddresses.command;
  frame[1] = count;
  frame[2] = opcode;
  frame[3] = param1;
  frame[4] = param2 & 0xff;
  frame[5] = param2 >>> 8;
  frame.set(data, 6);
  const crc = crc16(frame, 1, count - 1);
  frame[count - 1] = crc & 0xff;
  frame[count] = crc >>> 8;
  return frame;
}

export type ChipResponse =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "data"; readonly data: Uint8Array }
  /** Count or CRC say that these bytes are not a response, or not all of one. */
  | { readonly kind: "malformed" };

/** @param bytes As read; what lies beyond `count` is not part of the response and is not looked at. */
export function decodeResponse(bytes: Uint8Array): ChipResponse {
  const count = bytes[0] ?? 0;
  if (count < STATUS_RESPONSE_BYTES || count > bytes.length) return { kind: "malformed" };
  const sent = (bytes[count - 2] ?? 0) | ((bytes[count - 1] ?? 0) << 8);
  if (crc16(bytes, 0, count - 2) !== sent) return { kind: "malformed" };
  if (count === STATUS_RESPONSE_BYTES) return { kind: "status", status: bytes[1] ?? 0 };
  return { kind: "data", data: bytes.slice(1, count - 2) };
}

/**
 * A block: many messages of one registry as one value, so that a row, not a message, is what SQLite handles.
 *
 * Messages stand one after another, then comes a table of where each begins, four bytes each, so that any of
 * them is found without reading the others. All numbers are little-endian. A message is
 *
 *     publishMs f64 · flags u8 (1 device message id, 2 gateway, 4 topic, 8 state) · lengths: device id u8, numId u8,
 *     device message id u8, gateway id u8, subfolder u16 · those five texts in UTF-8 ·
 *     where flag 4 is set a topic: length u16 and text · payload
 */
import type { TelemetryMessage } from "../../telemetry/backbone.ts";
import type { DurableMessage } from "../durable-listeners.ts";
import { parseRegistryKey } from "../registry-key.ts";
import { BLOCK_MESSAGES_MAX, messageIdOf, messageIdPrefix } from "./message-id.ts";

/** A block is closed once it is this long; one more message of at most 256 KiB may pass it. */
export const BLOCK_BYTES_SOFT_MAX = 512 * 1024;

const HEADER_BYTES = 15;
const FLAG_MESSAGE_ID = 1;
const FLAG_GATEWAY = 2;
const FLAG_TOPIC = 4;
const FLAG_STATE = 8;
const TOPIC_HEADER_BYTES = 2;
const SHORT_TEXT_BYTES_MAX = 255;
const SUBFOLDER_BYTES_MAX = 65_535;
const TOPIC_BYTES_MAX = 65_535;

/** Bytes a message may need at most, its entry in the table included. */
export function encodedBytesMax(message: TelemetryMessage): number {
  const characters =
    message.deviceId.length +
    message.deviceNumId.length +
    message.subfolder.length +
    (message.deviceMessageId?.length ?? 0) +
    (message.gatewayId?.length ?? 0) +
    (message.topic?.length ?? 0);
  return HEADER_BYTES + TOPIC_HEADER_BYTES + 3 * characters + message.payload.length + 4;
}

/** Collects messages; {@link seal} gives the block and ends the collecting. */
export class BlockBuilder {
  readonly #offsets: number[] = [];
  #bytes: Buffer;
  #length = 0;
  lastMs = 0;

  /** @param bytesExpected What the block may come to; it grows beyond that by doubling. */
  constructor(bytesExpected: number) {
    this.#bytes = Buffer.from(new ArrayBuffer(bytesExpected));
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** Length of the block if it were sealed now. */
  get length(): number {
    return this.#length + 4 * this.#offsets.length;
  }

  get isFull(): boolean {
    return this.#offsets.length >= BLOCK_MESSAGES_MAX || this.#length >= BLOCK_BYTES_SOFT_MAX;
  }

  /** @returns false, and the block is as it was, when a text is too long for its length field. */
  add(message: TelemetryMessage): boolean {
    this.#makeRoom(encodedBytesMax(message));
    const start = this.#length;
    const bytes = this.#bytes;
    const { deviceMessageId, gatewayId, topic, kind } = message;
    let at = start + HEADER_BYTES;
    const deviceId = bytes.write(message.deviceId, at);
    at += deviceId;
    const numId = bytes.write(message.deviceNumId, at);
    at += numId;
    const messageId = deviceMessageId === undefined ? 0 : bytes.write(deviceMessageId, at);
    at += messageId;
    const gateway = gatewayId === undefined ? 0 : bytes.write(gatewayId, at);
    at += gateway;
    const subfolder = message.subfolder === "" ? 0 : bytes.write(message.subfolder, at);
    at += subfolder;
    if (
      Math.max(deviceId, numId, messageId, gateway) > SHORT_TEXT_BYTES_MAX ||
      subfolder > SUBFOLDER_BYTES_MAX
    ) {
      return false;
    }
    if (topic !== undefined) {
      const topicBytes = bytes.write(topic, at + TOPIC_HEADER_BYTES);
      if (topicBytes > TOPIC_BYTES_MAX) return false;
      bytes.writeUInt16LE(topicBytes, at);
      at += TOPIC_HEADER_BYTES + topicBytes;
    }
    bytes.writeDoubleLE(message.publishMs, start);
    bytes[start + 8] =
      (deviceMessageId === undefined ? 0 : FLAG_MESSAGE_ID) |
      (gatewayId === undefined ? 0 : FLAG_GATEWAY) |
      (topic === undefined ? 0 : FLAG_TOPIC) |
      (kind === undefined ? 0 : FLAG_STATE);
    bytes[start + 9] = deviceId;
    bytes[start + 10] = numId;
    bytes[start + 11] = messageId;
    bytes[start + 12] = gateway;
    bytes[start + 13] = subfolder & 0xff;
    bytes[start + 14] = subfolder >>> 8;
    bytes.set(message.payload, at);
    this.#offsets.push(start);
    this.#length = at + message.payload.length;
    if (message.publishMs > this.lastMs) this.lastMs = message.publishMs;
    return true;
  }

  /** @returns The block as the first `length` bytes of a buffer that is the caller's to transfer. */
  seal(): { readonly buffer: ArrayBuffer; readonly length: number } {
    let at = this.#length;
    for (const offset of this.#offsets) at = this.#bytes.writeUInt32LE(offset, at);
    // Made by `new ArrayBuffer` in this class alone.
    return { buffer: this.#bytes.buffer as ArrayBuffer, length: at };
  }

  /** Room for a message and for the table with one more entry. */
  #makeRoom(messageBytes: number): void {
    const needed = this.length + messageBytes;
    if (needed <= this.#bytes.length) return;
    let capacity = this.#bytes.length;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.from(new ArrayBuffer(capacity));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Where a block is from: what its row knows and its bytes need not repeat. */
export interface BlockPlace {
  readonly registryKey: string;
  readonly partition: number;
  readonly block: number;
  readonly count: number;
}

/** @param index 0 to `count` - 1. @returns The message, its payload a copy. */
export function decodeMessage(block: Uint8Array, place: BlockPlace, index: number): DurableMessage {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const table = bytes.length - 4 * place.count;
  const start = bytes.readUInt32LE(table + 4 * index);
  const end = index + 1 < place.count ? bytes.readUInt32LE(table + 4 * (index + 1)) : table;
  const flags = bytes.readUInt8(start + 8);
  let at = start + HEADER_BYTES;
  const text = (length: number): string => {
    at += length;
    return bytes.toString("utf8", at - length, at);
  };
  const deviceId = text(bytes.readUInt8(start + 9));
  const deviceNumId = text(bytes.readUInt8(start + 10));
  const deviceMessageId = text(bytes.readUInt8(start + 11));
  const gatewayId = text(bytes.readUInt8(start + 12));
  const subfolder = text(bytes.readUInt16LE(start + 13));
  let topic = "";
  if ((flags & FLAG_TOPIC) !== 0) {
    const topicBytes = bytes.readUInt16LE(at);
    at += TOPIC_HEADER_BYTES;
    topic = text(topicBytes);
  }
  return {
    messageId: messageIdOf(messageIdPrefix(place.block, place.partition), index),
    registry: parseRegistryKey(place.registryKey),
    deviceId,
    deviceNumId,
    subfolder,
    payload: new Uint8Array(bytes.subarray(at, end)),
    publishMs: bytes.readDoubleLE(start),
    ...((flags & FLAG_MESSAGE_ID) === 0 ? {} : { deviceMessageId }),
    ...((flags & FLAG_GATEWAY) === 0 ? {} : { gatewayId }),
    ...((flags & FLAG_TOPIC) === 0 ? {} : { topic }),
    ...((flags & FLAG_STATE) === 0 ? {} : { kind: "state" }),
  };
}

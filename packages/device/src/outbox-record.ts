/**
 * Outbox record: one message as bytes, the same in the ring, in a file and in a value of a small store.
 *
 * ```
 * length of it all, u32 | flags, u8 | length of the id, u8 | length of the subfolder, u16 | sequence, u48 | id | subfolder | payload
 * ```
 * Numbers are big-endian. The topic is not there: the device's name is known and the rest of it is a flag.
 *
 * Left to others: whether the bytes are whole (a store's checksum).
 */
import { utf8Decode, utf8Encode, utf8Length } from "@mayfly/core";

export const recordHeadBytes = 14;

/** Bits of the flags. */
export const recordFlag = {
  /** QoS 1; else QoS 0. */
  qos1: 0x01,
  /** To the state topic; else to events. */
  state: 0x02,
  /** It was given to a connection before, by this agent or by one before it. */
  given: 0x04,
  /** Its stay is over; its bytes wait for those before it. */
  settled: 0x08,
  /** A store has it. */
  stored: 0x10,
} as const;

/** What an application wants sent. */
export interface NewMessage {
  readonly isState: boolean;
  /** ASCII, at most 256 bytes; empty for none, and for state. */
  readonly subfolder: string;
  readonly qos: 0 | 1;
  /** At most 128 bytes of UTF-8; empty for none. */
  readonly messageId: string;
  readonly payload: Uint8Array;
}

/** Where the parts of a record are, relative to its begin. */
export interface RecordHead {
  readonly length: number;
  readonly flags: number;
  readonly idBytes: number;
  readonly subfolderBytes: number;
  readonly sequence: number;
}

export function encodeRecordHead(head: RecordHead): Uint8Array {
  const bytes = new Uint8Array(recordHeadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length);
  bytes[4] = head.flags;
  bytes[5] = head.idBytes;
  view.setUint16(6, head.subfolderBytes);
  view.setUint16(8, Math.floor(head.sequence / 0x1_0000_0000));
  view.setUint32(10, head.sequence % 0x1_0000_0000);
  return bytes;
}

/** @param bytes At least {@link recordHeadBytes}. */
export function decodeRecordHead(bytes: Uint8Array): RecordHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, recordHeadBytes);
  return {
    length: view.getUint32(0),
    flags: view.getUint8(4),
    idBytes: view.getUint8(5),
    subfolderBytes: view.getUint16(6),
    sequence: view.getUint16(8) * 0x1_0000_0000 + view.getUint32(10),
  };
}

/** @returns The head, where the bytes are a record of exactly their length. */
export function findRecordHead(bytes: Uint8Array): RecordHead | undefined {
  if (bytes.length < recordHeadBytes) return undefined;
  const head = decodeRecordHead(bytes);
  const isOne =
    head.length === bytes.length && recordHeadBytes + head.idBytes + head.subfolderBytes <= head.length;
  return isOne ? head : undefined;
}

/** Of the record of a message, without making it. */
export function recordLength({ messageId, subfolder, payload }: NewMessage): number {
  return recordHeadBytes + utf8Length(messageId) + subfolder.length + payload.length;
}

export function encodeRecord(message: NewMessage, sequence: number): Uint8Array {
  const id = utf8Encode(message.messageId);
  const subfolder = utf8Encode(message.subfolder);
  const length = recordHeadBytes + id.length + subfolder.length + message.payload.length;
  const flags = (message.qos === 1 ? recordFlag.qos1 : 0) | (message.isState ? recordFlag.state : 0);
  const bytes = new Uint8Array(length);
  bytes.set(
    encodeRecordHead({
      length,
      flags,
      idBytes: id.length,
      subfolderBytes: subfolder.length,
      sequence,
    }),
  );
  bytes.set(id, recordHeadBytes);
  bytes.set(subfolder, recordHeadBytes + id.length);
  bytes.set(message.payload, length - message.payload.length);
  return bytes;
}

/** @param record As {@link findRecordHead} knows it. Its payload is a view. */
export function decodeRecord(record: Uint8Array): NewMessage {
  const head = decodeRecordHead(record);
  const idEnd = recordHeadBytes + head.idBytes;
  const subfolderEnd = idEnd + head.subfolderBytes;
  return {
    isState: (head.flags & recordFlag.state) !== 0,
    qos: (head.flags & recordFlag.qos1) === 0 ? 0 : 1,
    messageId: utf8Decode(record.subarray(recordHeadBytes, idEnd)),
    subfolder: utf8Decode(record.subarray(idEnd, subfolderEnd)),
    payload: record.subarray(subfolderEnd),
  };
}

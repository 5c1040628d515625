/**
 * What a device remembers about its keys through a restart: 9 bytes in the small store.
 *
 * The number goes on record together with the switch it asks for, before anything is done: a repeat finds it, and a
 * device that loses power in the midst of a switch goes on with it.
 */
import { instructionNumberMax } from "@mayfly/core/instruction";

export interface KeyMemory {
  /** Slot of the key in use. */
  readonly slot: number;
  /** Slot that is being switched to. */
  readonly next: number | undefined;
  /** Of the newest instruction that was begun; 0 for none. */
  readonly number: number;
}

export const keyMemoryBytes = 9;
const form = 1;
const none = 0xff;

/** Slots 0 to 254. */
export function encodeKeyMemory({ slot, next, number }: KeyMemory): Uint8Array {
  const bytes = new Uint8Array(keyMemoryBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = form;
  bytes[1] = slot;
  bytes[2] = next ?? none;
  view.setUint16(3, Math.floor(number / 2 ** 32));
  view.setUint32(5, number % 2 ** 32);
  return bytes;
}

/** @returns `undefined` for what this program has not written. */
export function decodeKeyMemory(bytes: Uint8Array): KeyMemory | undefined {
  if (bytes.length !== keyMemoryBytes || bytes[0] !== form) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, keyMemoryBytes);
  const number = view.getUint16(3) * 2 ** 32 + view.getUint32(5);
  const [slot, next] = [view.getUint8(1), view.getUint8(2)];
  if (slot === none || number > instructionNumberMax) return undefined;
  return { slot, next: next === none ? undefined : next, number };
}

/** Counter (atecc608.md §2): two monotonic counters, 0 to {@link COUNTER_MAX}. */
import { ChipError } from "./chip-error.ts";
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

export const COUNTER_MAX = 2_097_151;
export type CounterId = 0 | 1;

export async function readCounter(port: CommandPort, id: CounterId): Promise<number> {
  return await count(port, 0x00, id);
}

/**
 * Adds one, for ever, and returns the new value.
 *
 * It is never repeated where it may have happened: then it rejects, and {@link readCounter} tells.
 */
export async function incrementCounter(port: CommandPort, id: CounterId): Promise<number> {
  return await count(port, 0x01, id);
}

async function count(port: CommandPort, mode: number, id: CounterId): Promise<number> {
  const [a = 0, b = 0, c = 0, d = 0] = await port.execute(opcodes.counter, mode, id, new Uint8Array(0), 4);
  const value = a + b * 0x100 + c * 0x10000 + d * 0x1000000;
  if (value > COUNTER_MAX) throw new ChipError("response_unexpected", "a counter beyond its end", { id });
  return value;
}

/**
 * What provisioning asks of a chip: single commands, and several in a row that nobody else comes between.
 *
 * The driver fits this port; tests may fit it with anything. How a command reaches the chip, how often it is
 * tried and how long it may take is the driver's business.
 */

export interface ChipCommandPort {
  /**
   * One command. @param responseBytes Data bytes expected: 4, 32 or 64, or 0 where success is a status alone.
   * @returns The data, empty for a status. Rejects with the driver's error for any status but success.
   */
  execute(
    opcode: number,
    param1: number,
    param2: number,
    data: Uint8Array,
    responseBytes: number,
  ): Promise<Uint8Array>;
  /** Runs commands one after another, atomically for other callers, with TempKey kept from one to the next. */
  together<T>(run: (chip: ChipCommandPort) => Promise<T>): Promise<T>;
}

export const opcodes = {
  info: 0x30,
  read: 0x02,
  write: 0x12,
  lock: 0x17,
  nonce: 0x16,
  genKey: 0x40,
  sign: 0x41,
  updateExtra: 0x20,
  selfTest: 0x77,
} as const;

/** Commands without data send none. */
export function noData(): Uint8Array {
  return new Uint8Array(0);
}

/**
 * Operation codes and status codes (atecc608.md §2), by the vendor's names.
 */

export const opcodes = {
  counter: 0x24,
  checkMac: 0x28,
  deriveKey: 0x1c,
  ecdh: 0x43,
  genDig: 0x15,
  genKey: 0x40,
  info: 0x30,
  lock: 0x17,
  mac: 0x08,
  nonce: 0x16,
  privWrite: 0x46,
  random: 0x1b,
  read: 0x02,
  selfTest: 0x77,
  sha: 0x47,
  sign: 0x41,
  updateExtra: 0x20,
  verify: 0x45,
  write: 0x12,
} as const;

export const statuses = {
  success: 0x00,
  miscompare: 0x01,
  parseError: 0x03,
  eccFault: 0x05,
  selfTestError: 0x07,
  healthTestError: 0x08,
  executionError: 0x0f,
  afterWake: 0x11,
  watchdogAboutToExpire: 0xee,
  crcOrCommunication: 0xff,
} as const;

/**
 * Would doing it twice differ from doing it once? Then it is never repeated where it may already have happened.
 *
 * GenKey is not among them: a second key takes the place of the first, and its answer is the one that counts.
 */
export function hasLastingEffect(opcode: number, param1: number): boolean {
  switch (opcode) {
    case opcodes.lock:
    case opcodes.updateExtra:
    case opcodes.deriveKey:
      return true;
    case opcodes.counter:
      return (param1 & 0x01) !== 0;
    default:
      return false;
  }
}

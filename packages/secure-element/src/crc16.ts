/**
 * The chip's CRC-16: polynomial 0x8005, initial 0, every byte fed least significant bit first into a register that
 * shifts left, no final exclusive-or. It is CRC-16/ARC with the bits of the result reversed, and travels low byte first.
 *
 * The one piece of packet code that the driver and the simulator share: it is checked against published values, so an
 * error in it cannot hide by being made twice.
 */

const POLYNOMIAL = 0x8005;

/**
 * CRC over `bytes[start, end)`.
 *
 * @param seed The CRC of what came before, for a sum over several pieces (the data zone's lock summary).
 * @returns 0 to 65535; on the wire the low byte goes first.
 */
export function crc16(bytes: Uint8Array, start = 0, end: number = bytes.length, seed = 0): number {
  let register = seed;
  for (let index = start; index < end; index++) {
    const byte = bytes[index] ?? 0;
    for (let bit = 1; bit < 0x100; bit <<= 1) {
      const feedback = ((register >>> 15) & 1) !== ((byte & bit) === 0 ? 0 : 1);
      register = (register << 1) & 0xffff;
      if (feedback) register ^= POLYNOMIAL;
    }
  }
  return register;
}

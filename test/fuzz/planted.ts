/** A program with a fault behind three bytes, one after the other: chance alone would need millions of tries. */
export function plantedProgram(input: Uint8Array): void {
  if (input[0] !== 0x4d) return;
  if (input[1] !== 0x61) return;
  if (input[2] !== 0x79) return;
  throw new Error("found");
}

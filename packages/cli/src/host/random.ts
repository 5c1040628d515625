/**
 * Unpredictable words and bytes, for the commands.
 */
import { randomBytes } from "node:crypto";

/** A word of 16 hexadecimal digits that was never used before. */
export function randomWord(): string {
  return randomBytes(8).toString("hex");
}

/** Bytes nobody can guess: a challenge. */
export function randomChallenge(length: number): Uint8Array {
  return Uint8Array.from(randomBytes(length));
}

/**
 * Unpredictable words, for the commands.
 */
import { randomBytes } from "node:crypto";

/** A word of 16 hexadecimal digits that was never used before. */
export function randomWord(): string {
  return randomBytes(8).toString("hex");
}

/** The digest a command works on: TempKey or the Message Digest Buffer, and the end of its validity. */

import type { ChipCore, Command } from "../chip-core.ts";
import { COMMANDS_THAT_CONSUME_THEIR_DIGEST } from "../doubts.ts";

export type DigestStore = "TempKey" | "Message Digest Buffer";

/** @returns Its first 32 bytes; undefined where nothing valid is in it. */
export function digestIn(core: ChipCore, store: DigestStore): Uint8Array | undefined {
  const value = store === "TempKey" ? core.volatile.tempKey?.value : core.volatile.messageDigestBuffer;
  return value?.subarray(0, 32);
}

/** To be called once the command has really used it. */
export function consumeDigest(core: ChipCore, command: Command, store: DigestStore): void {
  if (!COMMANDS_THAT_CONSUME_THEIR_DIGEST.includes(command.opcode)) return;
  if (store === "TempKey") core.volatile.tempKey = undefined;
  else core.volatile.messageDigestBuffer = undefined;
}

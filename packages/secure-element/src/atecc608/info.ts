/** Info (atecc608.md §2.1): what the chip says of itself. */
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

/** Param1 of Info, by the datasheet's names. */
export const infoModes = { revision: 0x00, keyValid: 0x01, state: 0x02 } as const;
export type InfoMode = "revision" | "state";

/** @returns 4 bytes as sent. Revision: `00 00 60 0x` for a 608, `00 00 50 00` for a 508A. */
export async function readInfo(port: CommandPort, mode: InfoMode): Promise<Uint8Array> {
  return await port.execute(opcodes.info, infoModes[mode], 0, new Uint8Array(0), 4);
}

/** Does this private slot hold a valid key? Which byte says so is in doubt, so any byte does. */
export async function isKeyValid(port: CommandPort, slot: number): Promise<boolean> {
  const answer = await port.execute(opcodes.info, infoModes.keyValid, slot, new Uint8Array(0), 4);
  return answer.some((byte) => byte !== 0);
}

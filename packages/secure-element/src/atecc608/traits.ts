/**
 * Which part this is and how fast it runs, from one Read: RevNum (bytes 4 to 7, what Info Revision says too) and
 * ChipMode (byte 19) lie in the first block of the Configuration zone.
 */
import { ChipError } from "./chip-error.ts";
import type { ChipPart, ChipTraits, CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

const CONFIG_BLOCK_ACCESS = 0x80;
const REVISION_AT = 4;
const CHIP_MODE_AT = 19;

/** @param part Where the caller knows better than the chip. @throws {ChipError} (rejects) `part_unknown` too. */
export async function readTraits(port: CommandPort, part: ChipPart | undefined): Promise<ChipTraits> {
  const block = await port.execute(opcodes.read, CONFIG_BLOCK_ACCESS, 0, new Uint8Array(0), 32);
  const chipMode = block[CHIP_MODE_AT] ?? 0;
  return {
    part: part ?? partOf(block.subarray(REVISION_AT, REVISION_AT + 4)),
    clockDivider: dividerOf(chipMode),
    hasLongWatchdog: (chipMode & 0x04) !== 0,
  };
}

/** The last byte of the revision differs between editions and is not to be depended on. */
function partOf(revision: Uint8Array): ChipPart {
  if (revision[2] === 0x60) return "608";
  if (revision[2] === 0x50) return "508A";
  throw new ChipError("part_unknown", "neither an ATECC608 nor an ATECC508A", { revision: revision[2] ?? 0 });
}

function dividerOf(chipMode: number): ChipTraits["clockDivider"] {
  switch (chipMode >> 3) {
    case 0x00:
      return "M0";
    case 0x05:
      return "M1";
    default:
      // 0D is M2; of others nothing is known, and the longest deadline harms least.
      return "M2";
  }
}

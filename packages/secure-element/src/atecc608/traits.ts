/**
 * Which part this is and how fast it runs: Info Revision, and ChipMode of the Configuration zone (byte 19).
 */
import { ChipError } from "./chip-error.ts";
import type { ChipPart, ChipTraits, CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";

/** The Configuration zone's word 4 holds bytes 16 to 19. */
const CHIP_MODE_WORD = 4;

/** @param part If the caller knows, Info is not asked. @throws {ChipError} (rejects) `part_unknown` too. */
export async function readTraits(port: CommandPort, part: ChipPart | undefined): Promise<ChipTraits> {
  const nothing = new Uint8Array(0);
  const found = part ?? partOf(await port.execute(opcodes.info, 0, 0, nothing, 4));
  const word = await port.execute(opcodes.read, 0, CHIP_MODE_WORD, nothing, 4);
  const chipMode = word[3] ?? 0;
  return { part: found, clockDivider: dividerOf(chipMode), hasLongWatchdog: (chipMode & 0x04) !== 0 };
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

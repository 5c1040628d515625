/**
 * `mayfly chip sign-token`: a device token signed by a slot of the chip.
 *
 * The chip would sign any digest. This command gives it those of tokens made here and of nothing else.
 */
import { mintDeviceToken } from "@mayfly/core/token";
import type { Command } from "commander";
import { type ChipFlags, withChip } from "../chip-flags.ts";
import { newCommand, outputOf, wholeNumber } from "../flags.ts";
import { openSlotSigner, withOpenChip } from "../host/chip.ts";
import { platformSha256 } from "../host/keys.ts";
import { claimsFor, type TokenFlags, withToken } from "../token-order.ts";

interface SignTokenFlags extends TokenFlags, ChipFlags {
  readonly json?: true;
  readonly slot: number;
}

export function addChipSignTokenCommand(group: Command): void {
  group.addCommand(
    withToken(withChip(newCommand("sign-token", "sign a device token with a slot of the chip and print it")))
      .option("--slot <N>", "slot whose key signs", wholeNumber(0, 15), 0)
      .action(signToken),
  );
}

async function signToken(flags: SignTokenFlags): Promise<void> {
  const output = outputOf(flags);
  const claims = await claimsFor(flags, output);
  const { token, keyId } = await withOpenChip(flags, async ({ chip }) => {
    const signer = await openSlotSigner(chip, flags.slot);
    return { token: await mintDeviceToken(claims, signer, platformSha256), keyId: signer.keyId };
  });
  output.result({ token, keyId, slot: flags.slot, claims }, () => token);
}

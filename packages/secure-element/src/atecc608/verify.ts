/** Verify external (atecc608.md §2): the chip checks a P-256 signature by a public key the host gives. */
import { ChipError } from "./chip-error.ts";
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";
import { digestBufferOf, loadDigest, mustBeDigest, SIGNATURE_BYTES } from "./sign.ts";

const verifyExternalModes = { "temp-key": 0x02, "message-digest-buffer": 0x22 } as const;
/** Key type P-256, in param2. */
const KEY_TYPE_P256 = 0x0004;
export const PUBLIC_KEY_BYTES = 64;

/**
 * @param publicKey X‖Y, 64 bytes. @param digest SHA-256, 32 bytes. @param signature R‖S, 64 bytes.
 * @throws {ChipError} (rejects). `chip_status_execution`: among others, the key is not a point of the curve.
 */
export async function verifyDigest(
  port: CommandPort,
  publicKey: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  mustBeDigest(digest);
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new ChipError("request_invalid", "a public key is X‖Y and a signature R‖S, 64 bytes each");
  }
  const data = new Uint8Array(SIGNATURE_BYTES + PUBLIC_KEY_BYTES);
  data.set(signature, 0);
  data.set(publicKey, SIGNATURE_BYTES);
  try {
    await port.together(async (chip) => {
      const buffer = await digestBufferOf(chip);
      await loadDigest(chip, digest, buffer);
      await chip.execute(opcodes.verify, verifyExternalModes[buffer], KEY_TYPE_P256, data, 0);
    });
    return true;
  } catch (error) {
    if (error instanceof ChipError && error.code === "chip_status_miscompare") return false;
    throw error;
  }
}

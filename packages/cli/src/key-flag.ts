/**
 * `--public-key FILE[:SLOT]`: a key file and the chip's slot its private half sits in.
 */
import { type PublicKeyFile, readPublicKey } from "./host/keys.ts";

/** Slots of an ATECC608 are 0 to 15; other chips may have more. */
const SLOT_DIGITS_MAX = 3;

/** A file name may hold colons itself: only digits after the last one are a slot. */
export function splitKeyFlag(text: string): { readonly file: string; readonly slot?: number } {
  const match = new RegExp(`^(.+):(\\d{1,${SLOT_DIGITS_MAX}})$`).exec(text);
  const [file, digits] = [match?.[1], match?.[2]];
  if (file === undefined || digits === undefined) return { file: text };
  return { file, slot: Number(digits) };
}

/** @throws {CommandFailure} file_unreadable or key_unusable. */
export async function parseKeyFlag(text: string): Promise<PublicKeyFile & { readonly slot?: number }> {
  const { file, slot } = splitKeyFlag(text);
  return { ...(await readPublicKey(file)), ...(slot === undefined ? {} : { slot }) };
}

/**
 * Chip images on disk. They carry the simulated chip's private keys, so a file is made for its owner only, and put in
 * place whole: a crash leaves the old image or the new one.
 */

import { closeSync, fchmodSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

const OWNER_ONLY = 0o600;

/** @throws {Error} The file cannot be read; whether it is an image is {@link createChipSim}'s to judge. */
export function loadChipImage(file: string): Uint8Array {
  return Uint8Array.from(readFileSync(file));
}

/** @param image As `ChipSim.image` gives it. @throws {Error} The file cannot be written; the old one is still there. */
export function saveChipImage(file: string, image: Uint8Array): void {
  const draft = `${file}.new`;
  const descriptor = openSync(draft, "w", OWNER_ONLY);
  try {
    // A draft left behind by a crash keeps the mode it had.
    fchmodSync(descriptor, OWNER_ONLY);
    writeSync(descriptor, image);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}

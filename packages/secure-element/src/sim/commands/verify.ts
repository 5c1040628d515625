/** Verify (45), external and stored: is this signature over the digest by that public key? Validation of keys is not done. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { done, executionError, isNewPart, parseError, statusAnswer } from "../chip-core.ts";
import { VERIFY_NEEDS_DATA_LOCK } from "../doubts.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import { isP256Public, storedPublicKey } from "../slot-policy.ts";
import { chipStatus } from "../status.ts";
import { consumeDigest, digestIn } from "./used-digest.ts";

const EXTERNAL = 0x02;
const STORED = 0x00;
const FROM_DIGEST_BUFFER = 0x20;
const KEY_TYPE_P256 = 0x0004;

export function verify(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if ((param1 & FROM_DIGEST_BUFFER) !== 0 && !isNewPart(core)) return parseError();
  const mode = param1 & ~FROM_DIGEST_BUFFER;
  if (mode === EXTERNAL) {
    if (param2 !== KEY_TYPE_P256 || data.length !== 128) return parseError();
    return judge(core, command, data.subarray(0, 64), data.subarray(64));
  }
  if (mode !== STORED || param2 >= SLOT_COUNT || data.length !== 64) return parseError();
  return judge(core, command, data, isP256Public(core, param2) ? storedPublicKey(core, param2) : undefined);
}

function judge(
  core: ChipCore,
  command: Command,
  signature: Uint8Array,
  key: Uint8Array | undefined,
): Outcome {
  if (!core.eeprom.isConfigLocked()) return executionError();
  if (VERIFY_NEEDS_DATA_LOCK && !core.eeprom.isDataLocked()) return executionError();
  const store = (command.param1 & FROM_DIGEST_BUFFER) !== 0 ? "Message Digest Buffer" : "TempKey";
  const digest = digestIn(core, store);
  if (digest === undefined || key === undefined) return executionError();
  // A point off the curve is 0F and not 05: the vendor's own device test says so.
  if (!core.crypto.isPublicKey(key)) return executionError();
  const isGood = core.crypto.verifyDigest(key, digest, signature);
  consumeDigest(core, command, store);
  return isGood ? done() : statusAnswer(chipStatus.miscompare);
}

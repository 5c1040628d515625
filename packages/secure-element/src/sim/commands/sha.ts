/** SHA (47): SHA-256 and HMAC in parts, with the 608's public-key part and saved context. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, done, executionError, isNewPart, parseError } from "../chip-core.ts";
import { HMAC_FROM_SLOT_NEEDS_DATA_LOCK, SHA_RESULT_IS_FIXED_INPUT } from "../doubts.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import { sha256Of } from "../sim-crypto.ts";
import { isP256Public, isPrivate, isUseAllowed, storedPublicKey } from "../slot-policy.ts";
import type { RunningDigest } from "../volatile-state.ts";
import { fixedTempKey } from "../volatile-state.ts";
import { restoreContext, saveContext } from "./sha-context.ts";

const BLOCK_BYTES = 64;
const END_BYTES_MAX = 63;
const TEMP_KEY_SLOT = 0xffff;

export function sha(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  const part = param1 & 0x07;
  if ((param1 & 0x38) !== 0 || (part !== 0x02 && param1 !== part)) return parseError();
  switch (part) {
    case 0x00:
      return param2 === 0 && data.length === 0 ? start(core) : parseError();
    case 0x01:
      return update(core, param2, data);
    case 0x02:
      return end(core, param1 & 0xc0, param2, data);
    case 0x03:
      return isNewPart(core) && data.length === 0 && param2 < SLOT_COUNT
        ? addPublicKey(core, param2)
        : parseError();
    case 0x04:
      return isNewPart(core) && data.length === 0 ? startHmac(core, param2) : parseError();
    case 0x06:
      return isNewPart(core) && data.length === 0 && param2 === 0 ? readContext(core) : parseError();
    case 0x07:
      return isNewPart(core) && data.length === param2 ? writeContext(core, data) : parseError();
    default:
      return parseError();
  }
}

function start(core: ChipCore): Outcome {
  core.volatile.digest = {
    hash: core.crypto.startSha256(),
    byteCount: 0,
    partial: new Uint8Array(0),
    outerBlock: undefined,
  };
  return done();
}

/** The 608 takes 0 to 64 bytes (the vendor's own test gives it 5), the 508A 64. */
function update(core: ChipCore, length: number, data: Uint8Array): Outcome {
  if (length !== data.length || length > BLOCK_BYTES || (!isNewPart(core) && length !== BLOCK_BYTES))
    return parseError();
  const { digest } = core.volatile;
  if (digest === undefined) return executionError();
  take(digest, data);
  return done();
}

function take(digest: RunningDigest, data: Uint8Array): void {
  digest.hash.update(data);
  digest.byteCount += data.length;
  const tail = new Uint8Array(digest.partial.length + data.length);
  tail.set(digest.partial, 0);
  tail.set(data, digest.partial.length);
  digest.partial = tail.slice(tail.length - (digest.byteCount % BLOCK_BYTES));
}

function end(core: ChipCore, target: number, length: number, data: Uint8Array): Outcome {
  if (length !== data.length || length > END_BYTES_MAX || target === 0x80) return parseError();
  if (target !== 0 && !isNewPart(core)) return parseError();
  const { digest } = core.volatile;
  if (digest === undefined) return executionError();

  take(digest, data);
  const inner = digest.hash.digest();
  const result = digest.outerBlock === undefined ? inner : sha256Of(core.crypto, [digest.outerBlock, inner]);
  core.volatile.digest = undefined;
  if (target === 0x00) {
    core.volatile.tempKey = {
      ...fixedTempKey(result),
      source: SHA_RESULT_IS_FIXED_INPUT ? "fixed" : "random",
    };
  }
  if (target === 0x40) core.volatile.messageDigestBuffer = result;
  return answer(result);
}

function addPublicKey(core: ChipCore, slot: number): Outcome {
  const { digest } = core.volatile;
  if (digest === undefined || !core.eeprom.isConfigLocked() || !isP256Public(core, slot))
    return executionError();
  take(digest, storedPublicKey(core, slot));
  return done();
}

/** HMAC-SHA-256 (RFC 2104) with a 32-byte key. */
function startHmac(core: ChipCore, slot: number): Outcome {
  if (slot >= SLOT_COUNT && slot !== TEMP_KEY_SLOT) return parseError();
  const key = slot === TEMP_KEY_SLOT ? core.volatile.tempKey?.value.subarray(0, 32) : slotSecret(core, slot);
  if (key === undefined) return executionError();

  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key, 0);
  const hash = core.crypto.startSha256();
  hash.update(block.map((byte) => byte ^ 0x36));
  core.volatile.digest = {
    hash,
    byteCount: 0,
    partial: new Uint8Array(0),
    outerBlock: block.map((byte) => byte ^ 0x5c),
  };
  return done();
}

function slotSecret(core: ChipCore, slot: number): Uint8Array | undefined {
  if (!core.eeprom.isConfigLocked() || (HMAC_FROM_SLOT_NEEDS_DATA_LOCK && !core.eeprom.isDataLocked()))
    return undefined;
  if (isPrivate(core, slot) || !isUseAllowed(core, slot)) return undefined;
  return core.eeprom.slot(slot).slice(0, 32);
}

/** A plain SHA-256 only: an HMAC's state would carry its key's out. */
function readContext(core: ChipCore): Outcome {
  const { digest } = core.volatile;
  if (digest === undefined || digest.outerBlock !== undefined) return executionError();
  return answer(saveContext(core, digest));
}

function writeContext(core: ChipCore, context: Uint8Array): Outcome {
  const digest = restoreContext(core, context);
  if (digest === undefined) return executionError();
  core.volatile.digest = digest;
  return done();
}

/**
 * Every behaviour that no public source confirms, by name and with the doubt beside it.
 *
 * These are inferences, or things remembered in the field and found in no document we may use. The rest of the
 * simulator follows public documents or the expectations of the vendor's own device tests. Somebody with silicon on
 * the bench can go down this list with a logic analyser; `docs/reference/atecc608-simulator.md` repeats it.
 */

import { opcode } from "./opcodes.ts";
import { chipStatus } from "./status.ts";

// ---- transport

/** What a read past the end of the output buffer gives. Doubt: inferred from an open-drain bus nobody pulls low. */
export const READ_PAST_END_BYTE = 0xff;

/** A word address other than 00 to 03 is acknowledged and does nothing. Doubt: documents say only "reserved". */
export const RESERVED_WORD_ADDRESS_DOES = "nothing";

/**
 * What a rewind answers that cuts off an unfinished command group: a communication error, so that the host sends
 * again. Doubt: the documents say that nothing can be read before the group is complete, and no more. Without the
 * rewind, reads are NACKed.
 */
export const STATUS_OF_GROUP_CUT_OFF = chipStatus.communication;

/** What bytes after a whole group make of it: a length error. Doubt: silicon may start at the CRC and drop the rest. */
export const STATUS_OF_SURPLUS_BYTES = chipStatus.communication;

/** A wake pulse while a command executes is ignored, as for any active chip. Doubt: stated only for the active state at large. */
export const WAKE_WHILE_EXECUTING_DOES = "nothing";

/** How long a refused command keeps the chip busy, µs. Doubt: documents for this family say "early", no number. */
export const REFUSAL_MICROS = 2_000;

/** How long a group with a bad CRC keeps the chip busy, µs. Doubt: as above. */
export const COMMUNICATION_ERROR_MICROS = 500;

/** A command is refused with EE when it would still be executing as the watchdog fires. Doubt: the width of that window. */
export const WATCHDOG_WINDOW = "the execution time of the command";

/** The long watchdog (ChipMode bit 2), µs, typical and shortest. Doubt: "about 13 s"; the shortest is scaled from 0.7 of 1.3 s. */
export const LONG_WATCHDOG_MICROS = { typical: 13_000_000, worst: 7_000_000 } as const;

/** Clock dividers other than M0 (00), M1 (05) and M2 (0D) run like M0. Doubt: no source names them. */
export const UNKNOWN_DIVIDER_RUNS_AS = "M0";

// ---- stores

/** EEPROM of data slots and OTP as delivered. Doubt: remembered of blank parts. */
export const BLANK_EEPROM_BYTE = 0xff;

/** A lock byte that is neither 55 nor 00 (a torn write) counts as locked. Doubt: documents name the two values only. */
export const LOCK_BYTE_OPEN = 0x55;

/**
 * Commands after which TempKey, or the Message Digest Buffer they used, is no longer valid. Doubt: whether Sign
 * really does this on the 608. A host that reloads before each use, as it should, cannot tell.
 */
export const COMMANDS_THAT_CONSUME_THEIR_DIGEST: readonly number[] = [
  opcode.sign,
  opcode.verify,
  opcode.mac,
  opcode.checkMac,
];

/** A CheckMac authorisation (KeyConfig.ReqAuth) lasts until sleep or power loss. Doubt: some part may be single-use. */
export const AUTHORISATION_ENDS_AT = "sleep";

/** KeyConfig.ReqAuth is asked for Sign and GenKey create, not for GenKey public. Doubt: vendor text says "use". */
export const REQ_AUTH_COVERS_PUBLIC_KEY = false;

/** KeyConfig.ReqRandom is not enforced. Doubt: its effect on GenKey and Sign is an open question. */
export const REQ_RANDOM_IS_ENFORCED = false;

/** The persistent latch starts at 0 when power comes; KeyConfig.PersistentDisable keys want it at 1. Doubt: polarity and start. */
export const LATCH_AT_POWER_UP = 0;

/** Info latch may set the latch only where VolatileKeyPermission (byte 69) has bit 7. Doubt: remembered, and the slot condition is left out. */
export const LATCH_ENABLE_BIT = 0x80;

// ---- commands

/** Which byte of the answer to Info KeyValid carries the 1. Doubt: the documents print it MSB first. */
export const KEY_VALID_BYTE = 0;

/** Info GPIO on a part in an I2C package. Doubt: no source; there is no such pin. */
export const STATUS_OF_INFO_GPIO = chipStatus.execution;

/** Bits of Info State: byte 0 keyId (0-3), source (4), genDig (5), genKey (6), noMac (7); byte 1 bit 7 TempKey valid. Doubt: bit places. */
export const INFO_STATE_BITS = {
  source: 0x10,
  genDig: 0x20,
  genKey: 0x40,
  noMac: 0x80,
  validInByte1: 0x80,
} as const;

/** The random numbers of a chip whose configuration is not locked. Doubt: widely reported; the vendor says "constant". */
export const UNLOCKED_RANDOM_PATTERN: readonly number[] = [0xff, 0xff, 0x00, 0x00];

/** Using a private slot in which no key was ever made. Doubt: might be 05. */
export const STATUS_OF_BLANK_PRIVATE_SLOT = chipStatus.execution;

/** Verify wants a locked configuration, whatever the data zone. Doubt: the vendor's tests run it with both locked. */
export const VERIFY_NEEDS_DATA_LOCK = false;

/** HMAC with a key from a slot wants both zones locked. Doubt: the vendor's tests run it so; HMAC from TempKey runs at any time. */
export const HMAC_FROM_SLOT_NEEDS_DATA_LOCK = true;

/** A lock whose summary CRC does not match. Doubt: might be another status; it is not 00 and nothing locks. */
export const STATUS_OF_SUMMARY_MISMATCH = chipStatus.execution;

/** Single slots lock before the data zone is locked. Doubt: believed of the 608; the vendor's tests lock slots last. */
export const SLOT_LOCK_NEEDS_DATA_LOCK = false;

/** Counters may be incremented before the configuration is locked. Doubt: the vendor's tests increment after. */
export const COUNTER_INCREMENT_NEEDS_CONFIG_LOCK = false;

/** UpdateExtra works before the configuration is locked. Doubt: it is described for afterwards. */
export const UPDATE_EXTRA_NEEDS_CONFIG_LOCK = false;

/**
 * What fills a 32-byte read of a slot's short last block: it succeeds, for the vendor's host library reads public keys
 * that way. Doubt: which bytes come after the slot's own.
 */
export const SHORT_BLOCK_FILL_BYTE = 0x00;

/** Before the data lock, OTP like data takes 32-byte writes only. Doubt: stated for data. */
export const OTP_TAKES_WORDS_BEFORE_LOCK = false;

/** A 72-byte public-key slot with WriteConfig PubInvalid takes writes unless its first nibble says "validated". Doubt: validation itself is not simulated. */
export const VALIDATED_NIBBLE = 0x5;

/** SelfTest with no engine named. Doubt: might report the last result. */
export const STATUS_OF_SELF_TEST_OF_NOTHING = chipStatus.parse;

/** TempKey holding a SHA result counts as fixed input. Doubt: no source for this flag. */
export const SHA_RESULT_IS_FIXED_INPUT = true;

/** Sign internal wants TempKey made by GenKey or GenDig. Doubt: the message only makes sense then; the refusal is inferred. */
export const SIGN_INTERNAL_NEEDS_DERIVED_TEMP_KEY = true;

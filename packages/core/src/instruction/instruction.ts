/**
 * Instructions: what the operator's side tells one device to do about its keys, as text.
 *
 * One instruction has one form: the reader makes it anew from what it understood and compares, so that two members
 * of one name, spaces, escapes and members nobody knows are refused without a rule for each. Its number only grows
 * for a device, which makes a repeat worthless; its end makes one that was kept back worthless too.
 *
 * Left to others: who may send one (the bridge: `subfolders.ts`), and what becomes of it (the device's keys).
 * The page for firmware of others is docs/reference/instruction.md.
 */
import { base64urlDecode, base64urlEncode } from "../bytes.ts";
import type { NumericDate } from "../host.ts";
import { isDeviceNumId, parseDeviceName } from "../id.ts";
import { InstructionError } from "./instruction-error.ts";

/** Longest instruction; all of it ASCII. */
export const instructionBytesMax = 1_024;
/** 2^48 - 1. */
export const instructionNumberMax = 281_474_976_710_655;
/** Longest from `iat` to `exp`: 90 days. */
export const instructionSecondsMax = 7_776_000;
/** Slots as a registry numbers them. */
export const instructionSlotMax = 255;
/** Drawn by whoever asks for a key; the chip signs it. As long as a Nonce command takes it. */
export const offerChallengeBytes = 20;

/** What is asked. */
export type InstructionOrder =
  /** Sign with the key in this slot, or with the key of this id, from now on. */
  | { readonly scope: "use-key"; readonly slot: number }
  | { readonly scope: "use-key"; readonly key: string }
  /** Make a new key in this slot, which must not be in use, and offer it. */
  | { readonly scope: "offer-key"; readonly slot: number; readonly challenge: Uint8Array };

export interface Instruction {
  /** Grows with each instruction for a device: 1 to {@link instructionNumberMax}. */
  readonly number: number;
  /** `projects/…/devices/…` by the string id. */
  readonly device: string;
  /** The device's number, under which it may know itself. */
  readonly numId: string;
  /** Whole seconds, as `exp`. */
  readonly iat: NumericDate;
  /** From this instant on it is not carried out any more. */
  readonly exp: NumericDate;
  /** The campaign it belongs to: 1 to 64 of letters, digits, `-` and `_`. */
  readonly campaign?: string;
  readonly order: InstructionOrder;
}

/** @returns ASCII. @throws {InstructionError} `instruction_malformed`: a member is out of range. */
export function formatInstruction(instruction: Instruction): string {
  checkMembers(instruction);
  const { number, device, numId, iat, exp, campaign, order } = instruction;
  return JSON.stringify({
    version: 1,
    number,
    device,
    numId,
    iat,
    exp,
    ...(campaign === undefined ? undefined : { campaign }),
    ...orderMembers(order),
  });
}

function orderMembers(order: InstructionOrder): object {
  if (order.scope === "offer-key") {
    return { scope: order.scope, slot: order.slot, challenge: base64urlEncode(order.challenge) };
  }
  return "slot" in order ? { scope: order.scope, slot: order.slot } : { scope: order.scope, key: order.key };
}

/**
 * @param text Of a command; anything.
 * @throws {InstructionError} See its code. No text makes it throw anything else.
 */
export function parseInstruction(text: string): Instruction {
  if (text.length > instructionBytesMax) {
    throw new InstructionError("instruction_too_large", `longer than ${instructionBytesMax} bytes`);
  }
  const members = readMembers(text);
  const { version, number, device, numId, iat, exp, campaign } = members;
  const known = isInteger(number, 1, instructionNumberMax) ? number : undefined;
  if (typeof version !== "number") throw malformed("version", known);
  if (version !== 1) {
    throw new InstructionError("instruction_version_unknown", "of a version that is not known", known);
  }
  if (known === undefined) throw malformed("number");
  const order = orderOf(members, known);
  if (typeof device !== "string" || typeof numId !== "string") throw malformed("device", known);
  if (typeof iat !== "number" || typeof exp !== "number") throw malformed("iat or exp", known);
  const instruction: Instruction = { number: known, device, numId, iat, exp, order };
  const whole = typeof campaign === "string" ? { ...instruction, campaign } : instruction;
  if (formatInstruction(whole) !== text) throw malformed("form", known);
  return whole;
}

interface Members {
  readonly [name: string]: unknown;
  readonly version?: unknown;
  readonly number?: unknown;
  readonly device?: unknown;
  readonly numId?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
  readonly campaign?: unknown;
  readonly scope?: unknown;
  readonly slot?: unknown;
  readonly key?: unknown;
  readonly challenge?: unknown;
}

function readMembers(text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("JSON object");
  return { ...value };
}

function orderOf({ scope, slot, key, challenge }: Members, number: number): InstructionOrder {
  if (typeof scope !== "string") throw malformed("scope", number);
  switch (scope) {
    case "use-key":
      if (typeof slot === "number") return { scope, slot };
      if (typeof key === "string") return { scope, key };
      break;
    case "offer-key":
      if (typeof slot === "number" && typeof challenge === "string") {
        return { scope, slot, challenge: decodeChallenge(challenge, number) };
      }
      break;
    default:
      throw new InstructionError("instruction_scope_unknown", "asks for what is not known here", number);
  }
  throw malformed("slot, key or challenge", number);
}

function decodeChallenge(text: string, number: number): Uint8Array {
  try {
    return base64urlDecode(text);
  } catch {
    throw malformed("challenge", number);
  }
}

/** One set of ranges for whoever writes and whoever reads. */
function checkMembers({ number, device, numId, iat, exp, campaign, order }: Instruction): void {
  if (!isInteger(number, 1, instructionNumberMax)) throw malformed("number");
  if (!isDeviceNumId(numId) || !isDeviceById(device)) throw malformed("device", number);
  const lasts = isInteger(iat, 1, numericDateMax) && isInteger(exp, iat + 1, iat + instructionSecondsMax);
  if (!lasts) throw malformed("iat or exp", number);
  if (campaign !== undefined && !isName(campaign)) throw malformed("campaign", number);
  if ("slot" in order && !isInteger(order.slot, 0, instructionSlotMax)) throw malformed("slot", number);
  if ("key" in order && !isName(order.key)) throw malformed("key", number);
  if ("challenge" in order && order.challenge.length !== offerChallengeBytes)
    throw malformed("challenge", number);
}

/** 9999-12-31T23:59:59Z. */
const numericDateMax = 253_402_300_799;

/** Letters, digits, `-` and `_`: 1 to 64 of them, as the registry names keys. */
export function isName(text: string): boolean {
  if (text.length < 1 || text.length > 64) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    const isLetter = code < 0x80 && lower >= 0x61 && lower <= 0x7a;
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isLetter && !isDigit && code !== 0x2d && code !== 0x5f) return false;
  }
  return true;
}

export function isInteger(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

function isDeviceById(text: string): boolean {
  try {
    return !isDeviceNumId(parseDeviceName(text).device);
  } catch {
    return false;
  }
}

function malformed(what: string, number?: number): InstructionError {
  return new InstructionError("instruction_malformed", `${what}: not as an instruction has it`, number);
}

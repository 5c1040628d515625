/**
 * What devices say of their keys, judged: results of instructions, and keys they have made and offer.
 *
 * An offer is taken once, for the instruction that asked for it and while that lasts, and only as the registry's policy
 * says. Whatever the verdict, the instruction's challenge is gone with it, so a device gets one verdict, and one write,
 * for each time it was asked. A key that is taken becomes pending: it verifies as the policy for pending keys says, and
 * becomes active only by an operator.
 *
 * Left to others: asking (`instructions.ts`), the offer's form and signatures (core).
 */
import {
  AttestationError,
  base64Encode,
  type Clock,
  concatBytes,
  formatDeviceName,
  hexDecode,
  type Sha256,
  utf8Decode,
} from "@mayfly/core";
import { InstructionError, keyOfferSubfolder, parseInstructionResult } from "@mayfly/core/instruction";
import {
  type OfferExpectation,
  type OfferedKey,
  type RegistryPolicy,
  TokenError,
  verifyKeyOffer,
} from "@mayfly/core/token";
import type { DevicePrincipal } from "../auth/admission.ts";
import { KeyImportError, type KeyVerifier } from "../auth/key-verifier.ts";
import type { KeyReports } from "../telemetry/key-reports.ts";
import type { Devices } from "./devices.ts";
import { RegistryError } from "./error.ts";
import type { Instructions } from "./instructions.ts";
import { KeyParseError, type KeyParser } from "./key-parser.ts";
import { addKey, isVerifyingState } from "./key-set.ts";
import type {
  DeviceRecord,
  DeviceRef,
  InstructionRecord,
  KeyOfferVerdict,
  KeyRecord,
  RegistryRecord,
} from "./model.ts";
import { type RegistryStore, StoreError } from "./store.ts";

export interface KeyOfferPorts {
  readonly devices: Pick<Devices, "inTurn">;
  readonly instructions: Pick<Instructions, "noteResult">;
  readonly store: Pick<RegistryStore, "findRegistry" | "updateDevice">;
  readonly keyParser: KeyParser;
  readonly verifier: KeyVerifier;
  readonly sha256: Sha256;
  readonly clock: Clock;
  /** Told of each verdict. */
  readonly judged?: (device: DeviceRef, verdict: KeyOfferVerdict, keyId: string | undefined) => void;
}

export function createKeyReports(ports: KeyOfferPorts): KeyReports {
  const { devices, instructions, store, clock } = ports;

  async function takeResult(ref: DeviceRef, text: string): Promise<void> {
    try {
      await instructions.noteResult(ref, parseInstructionResult(text));
    } catch (error) {
      // What is no result is of no use to anybody, and sending it again would not help.
      if (!(error instanceof InstructionError)) throw error;
    }
  }

  const takeOffer = (ref: DeviceRef, text: string): Promise<void> =>
    devices.inTurn(ref, async (device) => {
      const { instruction } = device;
      if (instruction === undefined || !isAwaited(instruction, clock.wallSeconds())) return;
      const registry = await store.findRegistry(ref);
      if (registry === undefined) return;
      const nowMs = Math.floor(clock.wallSeconds() * 1000);
      const { verdict, keys, keyId } = judgeOffer(ports, registry, device, instruction, text, nowMs);
      const { challenge: _gone, ...rest } = instruction;
      try {
        await store.updateDevice(ref, {
          instruction: { ...rest, offer: verdict },
          ...(keys === undefined ? {} : { keys }),
        });
        ports.judged?.(ref, verdict, keyId);
      } catch (error) {
        // Some other device has this key, or it is revoked: the store alone knows.
        if (!(error instanceof StoreError) || error.code !== "key_taken") throw error;
        await store.updateDevice(ref, { instruction: { ...rest, offer: "key_unusable" } });
        ports.judged?.(ref, "key_unusable", undefined);
      }
    });

  return {
    async take({ registry, deviceId }: DevicePrincipal, subfolder, payload) {
      let text: string;
      try {
        text = utf8Decode(payload);
      } catch {
        return;
      }
      const ref = { ...registry, device: deviceId };
      try {
        if (subfolder === keyOfferSubfolder) await takeOffer(ref, text);
        else await takeResult(ref, text);
      } catch (cause) {
        if (!(cause instanceof RegistryError) || cause.code !== "not_found") throw cause;
        throw new StoreError("not_found", "the device is gone", { cause });
      }
    },
  };
}

function isAwaited({ scope, challenge, expiresAtSeconds }: InstructionRecord, now: number): boolean {
  return scope === "offer-key" && challenge !== undefined && now < expiresAtSeconds;
}

interface Judgement {
  readonly verdict: KeyOfferVerdict;
  readonly keys?: readonly KeyRecord[];
  readonly keyId?: string;
}

function judgeOffer(
  ports: KeyOfferPorts,
  registry: RegistryRecord,
  device: DeviceRecord,
  instruction: InstructionRecord,
  text: string,
  nowMs: number,
): Judgement {
  const { policy } = registry;
  // Where certificates vouch for keys, a bare key has nobody to vouch for it.
  if (policy.keyOffers === "refuse" || registry.credentials.length > 0)
    return { verdict: "refused_by_policy" };
  const vouching = device.keys.filter((key) => key.state === "active" && key.format.startsWith("ES256"));
  if (vouching.length === 0) return { verdict: "key_not_active" };
  const found = verifyWithOne(ports, device, instruction, vouching, text);
  if (typeof found === "string") return { verdict: found };
  const { offered, by } = found;
  if (!isProofEnough(offered, policy)) return { verdict: "refused_by_policy" };
  try {
    const pem = pemOfPoint(offered.publicKey);
    const { fingerprint } = ports.keyParser.parseKey("ES256_PEM", pem);
    const slot = instruction.slot ?? 0;
    // The key that was in the slot is gone from the chip: it makes room, unless it is the one that vouches.
    const rest = device.keys.map((key): KeyRecord => {
      const isGone = key.slot === slot && key !== by && isVerifyingState(key.state);
      return isGone && key.fingerprint !== fingerprint ? { ...key, state: "retired" } : key;
    });
    const input = { format: "ES256_PEM", pem, fingerprint, slot, state: "pending" } as const;
    const { keys, added } = addKey(rest, input, nowMs);
    return { verdict: "taken", keys, keyId: added.keyId };
  } catch (error) {
    if (error instanceof KeyParseError || error instanceof RegistryError) return { verdict: "key_unusable" };
    throw error;
  }
}

/** The offer may come over a session of another key than signed it: each active one is asked, three at most. */
function verifyWithOne(
  { verifier, sha256 }: KeyOfferPorts,
  device: DeviceRecord,
  instruction: InstructionRecord,
  keys: readonly KeyRecord[],
  text: string,
): { readonly offered: OfferedKey; readonly by: KeyRecord } | KeyOfferVerdict {
  const port = {
    verify(alg: "ES256" | "RS256", pem: unknown, input: Uint8Array, signature: Uint8Array): boolean {
      try {
        return (
          typeof pem === "string" && verifier.verify(alg, verifier.importKey(pem, alg), input, signature)
        );
      } catch (error) {
        if (error instanceof KeyImportError) return false;
        throw error;
      }
    },
  };
  for (const by of keys) {
    try {
      const expected = expectationOf(device, instruction, by);
      return { offered: verifyKeyOffer(text, expected, { sha256, verifier: port }), by };
    } catch (error) {
      if (error instanceof AttestationError) return "not_attested";
      if (!(error instanceof TokenError)) throw error;
      if (error.code !== "token_signature_invalid") return "not_authentic";
    }
  }
  return "not_authentic";
}

function expectationOf(
  device: DeviceRecord,
  instruction: InstructionRecord,
  by: KeyRecord,
): OfferExpectation {
  const { project, location, registry, attestation } = device;
  const nameBy = (id: string): string => formatDeviceName({ project, location, registry, device: id });
  return {
    names: [nameBy(device.deviceId), nameBy(device.numId)],
    number: instruction.number,
    slot: instruction.slot ?? 0,
    challenge: hexDecode(instruction.challenge ?? ""),
    currentKey: by.pem,
    ...(attestation === undefined
      ? {}
      : {
          chip: {
            serialNumber: hexDecode(attestation.chipSerial),
            attestationSlot: attestation.slot,
            attestationKey: attestation.pem,
          },
        }),
  };
}

function isProofEnough({ proof }: OfferedKey, { keyOffers }: Pick<RegistryPolicy, "keyOffers">): boolean {
  return proof === "attested" || keyOffers === "vouch";
}

/** SubjectPublicKeyInfo of a P-256 point (RFC 5480 §2), up to the point itself. */
const spkiHead = hexDecode("3059301306072a8648ce3d020106082a8648ce3d030107034200" + "04");

function pemOfPoint(point: Uint8Array): string {
  const lines = base64Encode(concatBytes([spkiHead, point])).match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}

/**
 * Possession statements: a key signs which chip and slot it lives in, for a challenge of the station.
 *
 * A JWS of its own type, so that no statement can pass for a token and no token for a statement: the verifier
 * insists on `typ`, which a device token may leave out. The station never gets a digest of its choice signed; it
 * chooses 32 bytes of a claim. The statement also names the key it is made with (RFC 7638 thumbprint), since to
 * some other key the same signature could be made to fit.
 */
import { base64urlEncode, utf8Encode } from "../bytes.ts";
import type { Es256Signer, Sha256 } from "../host.ts";
import { findEs256Malformation } from "./ecdsa-range.ts";
import { judgeHeader, splitJws } from "./jws.ts";
import { joinToken } from "./mint.ts";
import { TokenError } from "./token-error.ts";
import type { SignatureVerifier } from "./verifier.ts";

export const possessionType = "mayfly-possession+jwt";

/** Bytes of a challenge. */
export const possessionChallengeBytes = 32;

/** What is stated, and what the verifier expects: both sides hold all of it. */
export interface PossessionFacts {
  /** The chip serial number, 18 lower-case hexadecimal digits. */
  readonly chipSerial: string;
  readonly slot: number;
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 unpredictable bytes, used once. */
  readonly challenge: Uint8Array;
}

/** @returns ASCII of the JWS signing input (RFC 7515 §5.1). @throws {RangeError} a challenge of another length. */
export function encodePossessionSigningInput(facts: PossessionFacts, sha256: Sha256): Uint8Array {
  if (facts.challenge.length !== possessionChallengeBytes) {
    throw new RangeError(`a possession challenge is ${possessionChallengeBytes} bytes`);
  }
  const header = JSON.stringify({ alg: "ES256", typ: possessionType });
  const claims = JSON.stringify(claimsOf(facts, sha256));
  return utf8Encode(`${base64urlEncode(utf8Encode(header))}.${base64urlEncode(utf8Encode(claims))}`);
}

/**
 * Has the key state that it is where it is.
 *
 * @returns JWS Compact Serialization.
 * @throws {TokenError} `token_signature_malformed`. What the signer throws passes through.
 */
export async function statePossession(
  facts: PossessionFacts,
  signer: Pick<Es256Signer, "signDigest">,
  sha256: Sha256,
): Promise<string> {
  const signingInput = encodePossessionSigningInput(facts, sha256);
  const signature = await signer.signDigest(sha256.digest(signingInput));
  checkSignatureForm(signature);
  return joinToken(signingInput, signature);
}

/**
 * @param statement JWS Compact Serialization, at most 8192 bytes.
 * @param handle The public key of `facts` as the verifier takes it.
 * @throws {TokenError} Refused: `token_too_large`, `token_malformed`, `token_header_unsupported`,
 *   `token_algorithm_unsupported`, `token_subject_mismatch` (another chip, slot, key or challenge),
 *   `token_signature_malformed`, `token_signature_invalid`.
 */
export function verifyPossession(
  statement: string,
  facts: PossessionFacts,
  handle: unknown,
  ports: { readonly sha256: Sha256; readonly verifier: Pick<SignatureVerifier, "verify"> },
): void {
  const parts = splitJws(statement, { looseBase64: false });
  const { alg } = judgeHeader(parts.header, possessionType);
  if (alg !== "ES256") {
    throw new TokenError("token_algorithm_unsupported", "a possession statement is signed with ES256", {
      alg,
    });
  }
  const expected = Object.entries(claimsOf(facts, ports.sha256));
  const isExact =
    parts.payload.size === expected.length &&
    expected.every(([name, value]) => parts.payload.get(name) === value);
  if (!isExact) {
    throw new TokenError(
      "token_subject_mismatch",
      "the statement speaks of another chip, slot, key or challenge",
      {
        slot: facts.slot,
      },
    );
  }
  checkSignatureForm(parts.signature);
  if (!ports.verifier.verify("ES256", handle, parts.signingInput, parts.signature)) {
    throw new TokenError("token_signature_invalid", "the key did not make this statement", {
      slot: facts.slot,
    });
  }
}

function claimsOf(facts: PossessionFacts, sha256: Sha256) {
  return {
    chip: facts.chipSerial,
    slot: facts.slot,
    jkt: keyThumbprint(facts.publicKey, sha256),
    nonce: base64urlEncode(facts.challenge),
  };
}

/** RFC 7638 §3.1: the members a key needs, in order of their names. */
function keyThumbprint(publicKey: Uint8Array, sha256: Sha256): string {
  const x = base64urlEncode(publicKey.subarray(0, 32));
  const y = base64urlEncode(publicKey.subarray(32, 64));
  return base64urlEncode(sha256.digest(utf8Encode(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)));
}

function checkSignatureForm(signature: Uint8Array): void {
  const because = findEs256Malformation(signature);
  if (because === undefined) return;
  throw new TokenError("token_signature_malformed", `the signature has the wrong form: ${because}`, {
    because,
  });
}

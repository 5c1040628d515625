/**
 * Minting: what a device signs, and the token made of it.
 *
 * A signer gets the digest of a signing input that was made here, of a type from a closed list: nothing
 * signs a digest another side has chosen.
 */
import { base64urlEncode, utf8Decode, utf8Encode } from "../bytes.ts";
import type { Es256Signer, NumericDate, Sha256 } from "../host.ts";
import type { JwtClaims } from "./claims.ts";
import { findEs256Malformation } from "./ecdsa-range.ts";
import type { TokenType } from "./jws.ts";
import { TokenError } from "./token-error.ts";

/** The header of a device token we make; statements of other types have encoders of their own. */
export interface MintedHeader {
  readonly alg: "ES256";
  readonly typ: TokenType & "JWT";
  readonly kid?: string;
}

/** @returns ASCII of `BASE64URL(header).BASE64URL(claims)` (RFC 7515 §5.1), members in the order given. */
export function encodeTokenSigningInput(header: MintedHeader, claims: JwtClaims): Uint8Array {
  const headerText = base64urlEncode(utf8Encode(JSON.stringify(header)));
  const claimsText = base64urlEncode(utf8Encode(JSON.stringify(claims)));
  return utf8Encode(`${headerText}.${claimsText}`);
}

/** @returns JWS Compact Serialization. */
export function joinToken(signingInput: Uint8Array, signature: Uint8Array): string {
  return `${utf8Decode(signingInput)}.${base64urlEncode(signature)}`;
}

/** What a token of ours says. */
export interface TokenOrder {
  readonly projectId: string;
  /** `projects/…/devices/…`, string id or numId. */
  readonly devicePath: string;
  /** What the device's clock says. */
  readonly issuedAt: NumericDate;
  /** `exp - iat`, whole seconds, at least 1. */
  readonly lifetimeSeconds: number;
  /** How wrong the device's clock may be, at least 0. */
  readonly uncertaintySeconds: number;
}

/**
 * The claims of a device token. `iat` is backdated by the uncertainty, so that a clock that is fast by no
 * more than that never signs a token from the future; `u` says by how much, in whole seconds.
 */
export function tokenClaimsFor(order: TokenOrder): JwtClaims {
  const u = Math.ceil(order.uncertaintySeconds);
  const iat = Math.floor(order.issuedAt) - u;
  return {
    aud: order.projectId,
    iat,
    exp: iat + Math.floor(order.lifetimeSeconds),
    sub: order.devicePath,
    u,
  };
}

/**
 * Mints a device token: one digest, one signature.
 *
 * @returns JWS Compact Serialization; `kid` is the signer's key.
 * @throws {TokenError} `token_signature_malformed`: the signer did not give R‖S in range.
 *   What the signer itself throws passes through.
 */
export function mintDeviceToken(claims: JwtClaims, signer: Es256Signer, sha256: Sha256): Promise<string> {
  const signingInput = encodeTokenSigningInput({ alg: "ES256", typ: "JWT", kid: signer.keyId }, claims);
  // One promise more and no async function: each costs a microcontroller some 700 bytes while the chip signs.
  return signer
    .signDigest(sha256.digest(signingInput))
    .then((signature) => joinChecked(signingInput, signature));
}

function joinChecked(signingInput: Uint8Array, signature: Uint8Array): string {
  const because = findEs256Malformation(signature);
  if (because !== undefined) {
    throw new TokenError("token_signature_malformed", `the signer's answer has the wrong form: ${because}`, {
      because,
    });
  }
  return joinToken(signingInput, signature);
}

/**
 * Front door of tokens: verify, mint, look into, and the policies and key states they rest on.
 */
export { type JwtClaims, type Leniency, numericDateMax } from "./claims.ts";
export { type TokenType, tokenBytesMax } from "./jws.ts";
export {
  type KeyOffer,
  keyOfferBytesMax,
  keyOfferType,
  type OfferAttestation,
  type OfferExpectation,
  type OfferedKey,
  stateKeyOffer,
  verifyKeyOffer,
} from "./key-offer.ts";
export {
  type CandidateKey,
  findKeyRefusal,
  type KeyRefusal,
  type KeyState,
  mayVerify,
  refusedKeysTriedMax,
  type TokenAlgorithm,
  verifyingKeysMax,
} from "./key-state.ts";
export {
  encodeTokenSigningInput,
  joinToken,
  type MintedHeader,
  mintDeviceToken,
  type TokenOrder,
  tokenClaimsFor,
} from "./mint.ts";
export { type ParsedToken, parseToken } from "./parse.ts";
export {
  checkPolicy,
  PolicyError,
  type PolicyErrorCode,
  policyPresets,
  type RegistryPolicy,
  type TokenPolicy,
} from "./policy.ts";
export {
  encodePossessionSigningInput,
  type PossessionFacts,
  possessionChallengeBytes,
  possessionType,
  statePossession,
  verifyPossession,
} from "./possession.ts";
export { type RefusalOnWire, refusalOnWire } from "./refusal-on-wire.ts";
export { type Authenticity, TokenError, type TokenErrorCode } from "./token-error.ts";
export type { SignatureVerifier } from "./verifier.ts";
export {
  type DeviceFacts,
  type VerificationContext,
  type VerifiedToken,
  verifyDeviceToken,
} from "./verify.ts";

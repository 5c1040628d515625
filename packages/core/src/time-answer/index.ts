/**
 * Front door of signed time: asking, delegating, answering, and believing.
 */
export {
  decodeTimeAnswer,
  encodeTimeMessage,
  joinTimeAnswer,
  radiusMillisMax,
  type TimeAnswer,
  type ToldTime,
  timeAnswerBytes,
  timeMessageBytes,
} from "./time-answer.ts";
export { TimeAnswerError, type TimeAnswerErrorCode } from "./time-answer-error.ts";
export {
  decodeDelegation,
  delegationBytes,
  delegationMessageBytes,
  delegationMillisMax,
  encodeDelegationMessage,
  type TimeDelegation,
  timePublicKeyBytes,
} from "./time-delegation.ts";
export { decodeTimeRequest, encodeTimeRequest, timeNonceBytes, timeRequestBytes } from "./time-request.ts";
export {
  type DigestVerifier,
  type MessageVerifier,
  type TimeExpectation,
  type TimeVerifierPorts,
  timePinsMax,
  type VerifiedTime,
  verifyTimeAnswer,
} from "./verify.ts";

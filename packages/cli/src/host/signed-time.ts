/**
 * Asks a server of this machine for signed time, as a device would: over its device HTTPS, with a fresh nonce.
 */
import { request } from "node:https";
import {
  encodeTimeRequest,
  type MessageVerifier,
  TimeAnswerError,
  timeAnswerBytes,
  timeNonceBytes,
  type VerifiedTime,
  verifyTimeAnswer,
} from "@mayfly/core/time-answer";
import { monotonicMillis } from "./clock.ts";
import { platformSha256, platformVerifier, publicKeyOfPoint } from "./keys.ts";
import { randomChallenge } from "./random.ts";

const ANSWER_MILLIS_MAX = 5_000;

const verifier: MessageVerifier = {
  verifyMessage: (publicKey, message, signature) =>
    platformVerifier.verify("ES256", publicKeyOfPoint(publicKey).key, message, signature),
};

/**
 * @param baseUrl Of the device HTTPS listener. @param pin The root to believe, X‖Y.
 * @returns The time, or why there is none. Rejects with the socket's error.
 */
export async function askSignedTime(
  baseUrl: string,
  ca: string | undefined,
  pin: Uint8Array,
): Promise<VerifiedTime | { readonly because: string }> {
  const nonce = randomChallenge(timeNonceBytes);
  const sentMillis = monotonicMillis();
  const { status, refusal, body } = await post(`${baseUrl}/mayfly/v1/time`, ca, encodeTimeRequest(nonce));
  const roundTripMillis = monotonicMillis() - sentMillis;
  if (status !== 200) return { because: refusal ?? `HTTP ${status}` };
  const expected = { nonce, pins: [pin], roundTripMillis, limitMillis: ANSWER_MILLIS_MAX };
  try {
    return await verifyTimeAnswer(body, expected, { verifier, sha256: platformSha256 });
  } catch (error) {
    if (error instanceof TimeAnswerError) return { because: error.message };
    throw error;
  }
}

function post(
  url: string,
  ca: string | undefined,
  bytes: Uint8Array,
): Promise<{ readonly status: number; readonly refusal: string | undefined; readonly body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: "POST", agent: false, ...(ca === undefined ? {} : { ca }) },
      (answer) => {
        const parts: Uint8Array[] = [];
        let length = 0;
        answer.on("data", (part: Uint8Array) => {
          length += part.length;
          // An answer longer than that is a refusal's sentence, which nobody reads here, or nonsense.
          if (length <= timeAnswerBytes) parts.push(part);
        });
        answer.on("end", () => {
          const refusal = answer.headers["mayfly-refusal"];
          resolve({
            status: answer.statusCode ?? 0,
            refusal: typeof refusal === "string" ? refusal : undefined,
            body: Uint8Array.from(Buffer.concat(parts)),
          });
        });
      },
    );
    outgoing.setTimeout(ANSWER_MILLIS_MAX, () => outgoing.destroy(new Error("no answer within 5 s")));
    outgoing.on("error", reject);
    outgoing.end(bytes);
  });
}

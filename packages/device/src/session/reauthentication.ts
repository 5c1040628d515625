/**
 * Re-authentication (MQTT 5.0 §4.12.1), the client's half: a new token inside a live connection.
 *
 * One AUTH is under way at most, and only on a connection whose CONNACK echoed our Authentication Method. A failed
 * one ends the connection, so the bridge's pace is kept: none sooner than 5 s after the last token was verified,
 * counted here from its answer, which is later. An AUTH that is not answered in time spoils nothing but itself: its
 * answer may still come and is then passed over, and no other is sent on this connection.
 *
 * Left to others: sending (`session.ts`), which token and when (`agent.ts`).
 */
import { utf8Encode } from "@mayfly/core";
import { type AuthPacket, type Properties, reasonCode } from "@mayfly/core/mqtt";

/** Authentication Method: Authentication Data is a device token, a JWS in Compact Serialization. */
export const authenticationMethod = "mayfly-jwt";
/** Between a token's acceptance and the next AUTH. The bridge wants 5 s; two clocks may run apart by some of that. */
export const reauthenticationPauseMillis = 5_500;

export class Reauthentication {
  #isOffered = false;
  #acceptedMillis = 0;
  #underWay: { readonly sentMillis: number; readonly dueMillis: number } | "given up" | undefined;

  /** The bridge would take an AUTH on this connection. */
  get isOffered(): boolean {
    return this.#isOffered && this.#underWay !== "given up";
  }

  /** When {@link giveUpIfDue} wants to be called. */
  get dueMillis(): number | undefined {
    return typeof this.#underWay === "object" ? this.#underWay.dueMillis : undefined;
  }

  /** When the AUTH was sent that waits for its answer. */
  get sentMillis(): number | undefined {
    return typeof this.#underWay === "object" ? this.#underWay.sentMillis : undefined;
  }

  /** A CONNACK that accepts came. @returns false: it names a method we did not use, a protocol error. */
  connected(connack: Properties | undefined, asked: "method" | "password", nowMillis: number): boolean {
    const echoed = connack?.authenticationMethod;
    this.#isOffered = asked === "method" && echoed === authenticationMethod;
    this.#acceptedMillis = nowMillis;
    return echoed === undefined || this.#isOffered;
  }

  mayBegin(nowMillis: number): boolean {
    return (
      this.#isOffered &&
      this.#underWay === undefined &&
      nowMillis >= this.#acceptedMillis + reauthenticationPauseMillis
    );
  }

  /** Ask {@link mayBegin} first. @returns What to send. */
  begin(token: string, nowMillis: number, answerMillisMax: number): AuthPacket {
    this.#underWay = { sentMillis: nowMillis, dueMillis: nowMillis + answerMillisMax };
    return { type: "auth", reasonCode: reasonCode.reauthenticate, properties: tokenProperties(token) };
  }

  /** @returns `late`: given up before, and known to be accepted now. `wrong`: no answer to anything we sent. */
  take(answer: AuthPacket, nowMillis: number): "accepted" | "late" | "wrong" {
    const isAnswer =
      answer.reasonCode === reasonCode.success &&
      answer.properties?.authenticationMethod === authenticationMethod;
    if (!isAnswer || this.#underWay === undefined) return "wrong";
    if (this.#underWay === "given up") return "late";
    this.#underWay = undefined;
    this.#acceptedMillis = nowMillis;
    return "accepted";
  }

  /** @returns Whether an AUTH under way was given up now. */
  giveUpIfDue(nowMillis: number): boolean {
    const due = this.dueMillis;
    if (due === undefined || nowMillis < due) return false;
    this.#underWay = "given up";
    return true;
  }
}

/** What carries a token, in CONNECT and in AUTH. */
export function tokenProperties(token: string): Properties {
  return { authenticationMethod, authenticationData: utf8Encode(token) };
}

/**
 * Re-authentication: a session's next token, inside the session (MQTT 5.0 §4.12.1).
 *
 * AUTH 0x19 carries the new token, the answer is AUTH 0x00, or DISCONNECT: a re-authentication that fails
 * closes the connection, as the standard demands. Until the answer the session goes on under the old rights and
 * the old deadline; nothing of it changes but its key, its rights and its deadline (Will, Session Expiry, Receive
 * Maximum and Client Identifier are CONNECT's).
 *
 * A token may be sent again, since its answer may have been lost from the client's view: it is not verified
 * again, but its rights are recomputed like any other's. Within one connection tokens do not go back in time by
 * more than the skew: who replays an older one here has not got it from this device.
 *
 * Left to others: what a token must be (`auth/admission.ts`), and the session (`live-session.ts`).
 */
import { hash } from "node:crypto";
import type { Clock, DeviceName } from "@mayfly/core";
import { type AuthPacket, reasonCode } from "@mayfly/core/mqtt";
import { encodeAuth } from "@mayfly/core/mqtt-server";
import { refusalOnWire, type TokenError, type TokenErrorCode } from "@mayfly/core/token";
import type { Admission, AdmissionOutcome, DevicePrincipal } from "../auth/admission.ts";
import { rejudge } from "../auth/rejudgement.ts";
import type { AdmissionRecord } from "../registry/model.ts";
import type { LookUp, RegistryStore } from "../registry/store.ts";
import type { AuthenticationMethod } from "./authentication-method.ts";
import type { CloseReason } from "./close-reason.ts";
import { tokenOf } from "./connect-request.ts";
import { reauthenticationIntervalMillis } from "./limits.ts";
import type { BridgeObserver, LinkFacts, ReauthenticationRefusal } from "./observer.ts";
import { tokenProperties } from "./token-properties.ts";

export interface ReauthenticationPorts {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly registry: Pick<RegistryStore, "lookUpAdmission">;
  readonly observer: BridgeObserver;
}

/** What it asks of its session. */
export interface ReauthenticationOwner {
  readonly principal: DevicePrincipal;
  readonly clientPacketBytesMax: number;
  readonly wantsProblemInformation: boolean;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  queue(bytes: Uint8Array): void;
  /** The session's right is `principal`'s from now on. */
  renewed(principal: DevicePrincipal): void;
  /** The registry changed while the token was judged: judge the session again. */
  rejudgeLater(): void;
  /** @param reasonString replaces the reason's own. */
  end(because: CloseReason, reasonString?: string): void;
}

export interface ReauthenticationOrder {
  readonly method: AuthenticationMethod;
  readonly deviceName: DeviceName;
  readonly ownAgent: boolean;
  readonly link: LinkFacts;
  /** The token that was accepted in CONNECT. */
  readonly token: string;
}

export class Reauthentication {
  readonly #ports: ReauthenticationPorts;
  readonly #owner: ReauthenticationOwner;
  readonly #order: Omit<ReauthenticationOrder, "token">;
  /** Of the token accepted last: the token itself is nothing to keep. */
  #acceptedDigest: string;
  #verifiedMillis = Number.NEGATIVE_INFINITY;
  #isUnderWay = false;
  #isClosed = false;

  constructor(ports: ReauthenticationPorts, owner: ReauthenticationOwner, order: ReauthenticationOrder) {
    const { token, ...rest } = order;
    this.#ports = ports;
    this.#owner = owner;
    this.#order = rest;
    this.#acceptedDigest = digestOf(token);
  }

  /** An AUTH of the client's. */
  take(packet: AuthPacket): void {
    const { properties } = packet;
    // 0x18 continues what nobody began; another method than CONNECT's is a breach of [MQTT-4.12.1-1]. (0x8C is
    // CONNACK's; §3.14.2.1 does not let a DISCONNECT carry it.)
    if (
      packet.reasonCode !== reasonCode.reauthenticate ||
      properties?.authenticationMethod !== this.#order.method
    ) {
      this.#refuse("protocol_error", "protocol_error");
      return;
    }
    if (this.#isUnderWay) {
      this.#refuse("reauthentication_too_often", "reauthentication_too_often");
      return;
    }
    const token = tokenOf(properties.authenticationData);
    const digest = digestOf(token);
    if (digest === this.#acceptedDigest) this.#answerAgain();
    else this.#verify(token, digest);
  }

  /** Answers that come from now on are not for this session. */
  close(): void {
    this.#isClosed = true;
  }

  #verify(token: string, digest: string): void {
    const nowMillis = this.#ports.clock.monotonicMillis();
    if (nowMillis - this.#verifiedMillis < reauthenticationIntervalMillis) {
      this.#refuse("reauthentication_too_often", "reauthentication_too_often");
      return;
    }
    this.#verifiedMillis = nowMillis;
    this.#isUnderWay = true;
    const { changesSeen } = this.#owner;
    const { deviceName, ownAgent, link: peer } = this.#order;
    const way = { bridge: "mqtt", purpose: "reauthenticate", peer } as const;
    this.#ports.admission.admitDeviceToken({ deviceName, token, ownAgent, ...way }, (outcome) => {
      this.#isUnderWay = false;
      if (this.#isClosed) return;
      this.#decided(outcome, digest);
      if (changesSeen !== this.#owner.changesSeen && !this.#isClosed) this.#owner.rejudgeLater();
    });
  }

  #decided(outcome: AdmissionOutcome, digest: string): void {
    if (outcome.kind === "refused") {
      const { because } = outcome;
      if (because === "registry_unavailable") this.#refuse(because, because);
      else if (because === "bridge_disabled") this.#refuse(because, because);
      else this.#refuseToken(because.code, because);
      return;
    }
    const { principal } = outcome;
    const before = this.#owner.principal;
    if (principal.deviceNumId !== before.deviceNumId) {
      // Deleted and made again under the same name: another device, whose session this is not.
      this.#refuse("device_unknown", "device_deleted");
      return;
    }
    if (principal.issuedAtSeconds < before.issuedAtSeconds - principal.policy.skewSeconds) {
      this.#refuseToken("token_superseded");
      return;
    }
    this.#acceptedDigest = digest;
    this.#accept(principal);
  }

  /** The token accepted last was sent again: no new verification, yet every right is asked for anew. */
  #answerAgain(): void {
    this.#isUnderWay = true;
    const { registry, deviceId } = this.#owner.principal;
    this.#ports.registry.lookUpAdmission({ ...registry, device: deviceId }, (record) => {
      this.#isUnderWay = false;
      if (!this.#isClosed) this.#rejudged(record);
    });
  }

  #rejudged(record: LookUp<AdmissionRecord>): void {
    if (record === "unavailable") {
      this.#refuse("registry_unavailable", "registry_unavailable");
      return;
    }
    const verdict = rejudge(this.#owner.principal, record, this.#ports.clock.wallSeconds(), "mqtt");
    if (verdict.kind === "ends") this.#owner.end(verdict.because);
    else this.#accept(verdict.principal);
  }

  #accept(principal: DevicePrincipal): void {
    const { clock, observer } = this.#ports;
    const before = this.#owner.principal;
    const serverSeconds = clock.wallSeconds();
    this.#owner.renewed(principal);
    if (this.#isClosed) return;
    this.#owner.queue(this.#encodeAccepted(principal, serverSeconds));
    observer.renewed({
      principal,
      keyChanged: principal.keyId !== before.keyId,
      secondsLeft: before.deadlineSeconds - serverSeconds,
      link: this.#order.link,
    });
  }

  #encodeAccepted(principal: DevicePrincipal, serverSeconds: number): Uint8Array {
    const authenticationMethod = this.#order.method;
    const bare = {
      type: "auth",
      reasonCode: reasonCode.success,
      properties: { authenticationMethod },
    } as const;
    // 5.0 §3.1.2.11.7: without leave, no User Property here.
    if (!this.#owner.wantsProblemInformation) return encodeAuth(bare);
    const userProperties = tokenProperties(principal, serverSeconds);
    const told = encodeAuth({ ...bare, properties: { authenticationMethod, userProperties } });
    return told.length <= this.#owner.clientPacketBytesMax ? told : encodeAuth(bare);
  }

  #refuseToken(code: TokenErrorCode, error?: TokenError): void {
    const named = refusalOnWire[code].named ? code : undefined;
    this.#refuse(code, "reauthentication_refused", named, error);
  }

  #refuse(
    because: ReauthenticationRefusal,
    closeReason: CloseReason,
    reasonString?: string,
    error?: TokenError,
  ): void {
    const { principal } = this.#owner;
    const authenticity = error?.authenticity;
    this.#ports.observer.renewalRefused({
      principal,
      because,
      link: this.#order.link,
      ...(authenticity === undefined ? {} : { authenticity }),
    });
    this.#owner.end(closeReason, reasonString);
  }
}

function digestOf(token: string): string {
  return hash("sha256", token, "base64");
}

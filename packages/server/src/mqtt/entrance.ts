/**
 * Entrance: from a CONNECT that can be judged to the right it gets, with what was kept for its device.
 *
 * Three questions in a row, each of which may need time: does admission take the token; is the device being
 * fought over, so that this newer connection waits; is a Session kept for it. The connection may go away in
 * between, and cancels.
 *
 * Left to others: the live session and who is taken over (`connection.ts`).
 */
import type { CancelTimer, DeviceName, NumericDate } from "@mayfly/core";
import { type Authenticity, findKeyRefusal, TokenError } from "@mayfly/core/token";
import type { Admission, AdmissionOutcome, DevicePrincipal } from "../auth/admission.ts";
import type { KeyRecord } from "../registry/model.ts";
import type { KeptSession } from "../registry/session-store.ts";
import type { AdmissionQueue } from "./admission-queue.ts";
import type { EnginePorts } from "./bridge.ts";
import { encodeComeBack, encodeTokenRefused } from "./connack.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { connectTimeoutMillis } from "./limits.ts";
import type { Load } from "./load.ts";
import type { ConnectRefusal, LinkFacts } from "./observer.ts";

/** Server unavailable: no verdict on the peer, who may come again. */
export const unavailableCodes = { mqtt5: 0x88, mqtt311: 0x03 } as const;

/** Server busy: the store is behind. */
const busyCodes = { mqtt5: 0x89, mqtt311: 0x03 } as const;

export type EntranceOutcome =
  | {
      readonly kind: "refused";
      readonly because: ConnectRefusal;
      readonly answer: Uint8Array;
      readonly authenticity: Authenticity | undefined;
    }
  | {
      readonly kind: "admitted";
      readonly principal: DevicePrincipal;
      /** What the store keeps of the device's Session; not looked up where another answer is nearer. */
      readonly kept: KeptSession | undefined;
    };

export interface EntranceHost {
  readonly ports: EnginePorts;
  readonly admission: Admission;
  readonly admissionQueue: AdmissionQueue;
  readonly load: Load;
  /** When the right of the device's live session ends, by its own word who it is; undefined where it has none. */
  rightEndsMillis(deviceName: DeviceName): number | undefined;
  /** How long this CONNECT waits because its device's connections push each other out; 0 for not at all. */
  takeoverDelay(request: ConnectRequest, principal: DevicePrincipal, link: LinkFacts): number;
  /** Is the device's Session alive in a connection of this process? Then that has it, and not the store. */
  hasLiveSession(principal: DevicePrincipal): boolean;
}

export class Entrance {
  readonly #host: EntranceHost;
  readonly #request: ConnectRequest;
  readonly #link: LinkFacts;
  readonly #answer: (outcome: EntranceOutcome) => void;
  #cancelDelay: CancelTimer | undefined;
  /** Monotonic: when a CONNECT that was delayed must have its answer. */
  delayEndsMillis = 0;
  #leaveQueue: (() => void) | undefined;
  #isCancelled = false;

  /** @param answer called at most once, synchronously where nothing needs time. */
  constructor(
    host: EntranceHost,
    request: ConnectRequest,
    link: LinkFacts,
    answer: (outcome: EntranceOutcome) => void,
  ) {
    this.#host = host;
    this.#request = request;
    this.#link = link;
    this.#answer = answer;
  }

  begin(): void {
    const { version, deviceName, packetBytesMax } = this.#request;
    const rightEndsMillis = this.#host.rightEndsMillis(deviceName);
    // Whoever is here renews, whatever the load: a credential costs no message.
    if (rightEndsMillis === undefined && this.#host.load.level === "full") {
      const answer = encodeComeBack(version, busyCodes, packetBytesMax);
      this.#answer({ kind: "refused", because: "server_busy", answer, authenticity: undefined });
      return;
    }
    this.#leaveQueue = this.#host.admissionQueue.enter(rightEndsMillis, () => this.#askAdmission());
  }

  #askAdmission(): void {
    const { deviceName, token, ownAgent } = this.#request;
    const way = { bridge: "mqtt", purpose: "connect", peer: this.#link } as const;
    this.#host.admission.admitDeviceToken({ deviceName, token, ownAgent, ...way }, (outcome) => {
      if (this.#isCancelled) return;
      if (outcome.kind === "refused") this.#refuse(outcome.because, outcome.serverSeconds);
      else this.#delay(outcome.principal, outcome.keys);
    });
  }

  /** Whether the CONNECT was found good and had to wait for its turn. */
  get isDelayed(): boolean {
    return this.delayEndsMillis !== 0;
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#isCancelled = true;
    this.#leaveQueue?.();
    this.#cancelDelay?.();
    this.#cancelDelay = undefined;
  }

  #delay(principal: DevicePrincipal, keys: readonly KeyRecord[]): void {
    const delayMillis = this.#host.takeoverDelay(this.#request, principal, this.#link);
    if (delayMillis === 0) {
      this.#lookUpSession(principal, keys);
      return;
    }
    const { clock, timers } = this.#host.ports;
    this.delayEndsMillis = clock.monotonicMillis() + delayMillis + connectTimeoutMillis;
    this.#cancelDelay = timers.after(delayMillis, () => {
      this.#cancelDelay = undefined;
      this.#lookUpSession(principal, keys);
    });
  }

  #lookUpSession(principal: DevicePrincipal, keys: readonly KeyRecord[]): void {
    // Where the registry keeps no Sessions there is none, and a live connection has its own.
    if (!principal.policy.keepSessions || this.#host.hasLiveSession(principal)) {
      this.#admit(principal, undefined);
      return;
    }
    const { clock, sessions } = this.#host.ports;
    const device = { ...principal.registry, device: principal.deviceId };
    sessions.lookUpSession(device, (kept) => {
      if (this.#isCancelled) return;
      if (kept === "unavailable") {
        this.#refuse("registry_unavailable", clock.wallSeconds());
        return;
      }
      // The store ends a Session with its key's state; where that key has passed its date, it is over all the same.
      const key = keys.find(({ fingerprint }) => fingerprint === kept?.keyFingerprint);
      const isOver =
        key === undefined || findKeyRefusal(key, principal.policy, clock.wallSeconds()) !== undefined;
      this.#admit(principal, isOver ? undefined : kept);
    });
  }

  #admit(principal: DevicePrincipal, kept: KeptSession | undefined): void {
    // While it waited its right may have ended: admission says why.
    if (this.#host.ports.clock.wallSeconds() >= principal.deadlineSeconds) this.#askAdmission();
    else this.#answer({ kind: "admitted", principal, kept });
  }

  #refuse(
    because: Extract<AdmissionOutcome, { kind: "refused" }>["because"],
    serverSeconds: NumericDate,
  ): void {
    const { version, packetBytesMax } = this.#request;
    if (because === "registry_unavailable") {
      this.#answer({
        kind: "refused",
        because,
        answer: encodeComeBack(version, unavailableCodes, packetBytesMax),
        authenticity: undefined,
      });
      return;
    }
    const error = because instanceof TokenError ? because : undefined;
    this.#answer({
      kind: "refused",
      because: error?.code ?? "bridge_disabled",
      answer: encodeTokenRefused(version, error, serverSeconds, packetBytesMax),
      authenticity: error?.authenticity,
    });
  }
}

/**
 * What stands around a live session: the connection that carries it, the order it begins by, what all sessions of the
 * bridge share, and what one connection of a Session hands to the next.
 *
 * Left to others: the session itself (`live-session.ts`), and its one carrier (`connection.ts`).
 */
import type { Admission, DevicePrincipal } from "../auth/admission.ts";
import type { KeptCommand } from "../registry/session-store.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import type { Intake } from "../telemetry/intake.ts";
import type { AttachmentServices, AttachmentsState } from "./attachments.ts";
import type { CloseReason } from "./close-reason.ts";
import type { ConnectRequest } from "./connect-request.ts";
import type { DownlinkState } from "./downlink.ts";
import type { Beginning } from "./kept-session.ts";
import type { Load } from "./load.ts";
import type { LinkFacts } from "./observer.ts";
import type { SessionTerms } from "./session-terms.ts";
import type { HeldTotal } from "./uplink.ts";

/** What a session asks of the connection below it. */
export interface SessionCarrier {
  /** Monotonic time of the last bytes from the peer. */
  readonly lastReceivedMillis: number;
  /** Whether we have stopped reading; then silence says nothing. */
  readonly isPaused: boolean;
  /** Monotonic time since when; infinite while we read. */
  readonly pausedMillis: number;
  queue(bytes: Uint8Array): void;
  /** Goes on reading, where it had stopped, and sets the due time anew. */
  proceed(): void;
  /** Sets the due time anew. */
  reschedule(): void;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  /** Whether as much was written as may wait for a peer that does not read. */
  readonly isOutgoingFull: boolean;
  /** Has the session judged again. */
  rejudgeLater(): void;
  /** Gives a command to the connection that has the device's Session now, if any. */
  passOn(principal: DevicePrincipal, command: KeptCommand): void;
  /** @param reasonString tells the peer this instead of the reason's own. */
  end(because: CloseReason, reasonString?: string): void;
}

/** What was agreed at CONNECT. */
export interface SessionOrder {
  readonly request: ConnectRequest;
  readonly principal: DevicePrincipal;
  readonly link: LinkFacts;
  readonly terms: SessionTerms;
}

/** What another connection of the same Session goes on with. */
export interface HandedOver extends DownlinkState {
  /** Of a gateway that is relieved; where it is only taken over, its attachments end. */
  readonly attachments?: AttachmentsState;
  readonly beginning: Readonly<Beginning> | undefined;
}

/** Shared by all sessions of the bridge. */
export interface SessionServices extends AttachmentServices {
  readonly admission: Admission;
  readonly intake: Intake;
  readonly heldTotal: HeldTotal;
  readonly load: Load;
  readonly rates: DeviceRates;
  readonly deviceLog: DeviceLog;
}

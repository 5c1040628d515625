/**
 * What the oracle writes down: of a socket, of a device and its Session, of a command.
 *
 * Plain facts, changed by the oracle alone; nothing here was learnt from inside the bridge.
 */
import type { TokenFacts } from "../paper-tokens.ts";
import type { Registered } from "./rights.ts";

/** Something the bridge did that it must not do, or failed to do. */
export class Breach extends Error {
  override readonly name = "Breach";
}

export function expect(isSo: boolean, sentence: string): asserts isSo {
  if (!isSo) throw new Breach(sentence);
}

/** What a CONNECT asked for. */
export interface Asked {
  readonly version: 4 | 5;
  readonly clean: boolean;
  /** Seconds the Session is to outlive the connection; a 3.1.1 Session that is kept says infinite. */
  readonly expirySeconds: number;
  readonly byMethod: boolean;
  readonly asksHandover: boolean;
  readonly keepAliveSeconds: number;
  readonly receiveMaximum: number;
  readonly token: TokenFacts;
}

/** A token on its way through admission: every state of the registry that may be the one it meets. */
export interface Judgement {
  readonly token: TokenFacts;
  readonly askedMillis: number;
  readonly states: Registered[];
}

/** A PUBLISH at QoS 1 without its PUBACK, in order of arrival. */
export interface Upload {
  readonly packetIdentifier: number;
  readonly payload: string;
  isTaken: boolean;
  isDurable: boolean;
}

export interface CommandNote {
  readonly payload: string;
  readonly device: DeviceNote;
  readonly sentMillis: number;
  /** The Session it was given to; undefined until the store has it, or it was sent. */
  session: SessionNote | undefined;
  /** The device was subscribed when it was given. */
  readonly wasSubscribed: boolean;
  /** Its place among the commands that the store keeps. */
  order: number;
  outcome: string | undefined;
  /** Sockets it was written on. */
  readonly writtenOn: SocketNote[];
  /** A connection of its Session has lived since it was given. */
  mayHaveBeenSent: boolean;
  isAcknowledged: boolean;
}

export interface SessionNote {
  readonly device: DeviceNote;
  /** Of the device when it began. */
  readonly generation: number;
  /** Outlives its connection, or has outlived one. */
  readonly isKept: boolean;
  expirySeconds: number;
  /** Key of the token last accepted in it. */
  key: string;
  owner: SocketNote | undefined;
  /** Wall seconds at which it is over; infinite while a connection owns it. */
  endsSeconds: number;
  /** Its right is gone: nobody may go on with it. */
  isOver: boolean;
  isOverByKey: boolean;
  /** It went on although its key's right had ended: what of it was kept, nobody can say. */
  isUncertain: boolean;
  /** Monotonic: its key lost its right, while a connection had it. */
  keyLostMillis: number;
  config: 0 | 1 | undefined;
  commands: 0 | 1 | undefined;
  /** Newest config version written at QoS 0 in it since it subscribed. */
  configHad: number;
}

export interface DeviceNote {
  readonly name: string;
  registered: Registered;
  configVersion: number;
  /** Newest that it acknowledged. */
  configAcknowledged: number;
  session: SessionNote | undefined;
  live: SocketNote | undefined;
  readonly commands: CommandNote[];
}

export type Phase = "open" | "asked" | "live" | "relieved" | "over";

export interface SocketNote {
  readonly name: string;
  readonly version: 4 | 5;
  readonly device: DeviceNote;
  readonly openedMillis: number;
  phase: Phase;
  asked: Asked | undefined;
  judgement: Judgement | undefined;
  isConnacked: boolean;
  isResumed: boolean;
  /** The peer closed it. */
  isLost: boolean;
  isClosed: boolean;
  /** Reason Code of the bridge's DISCONNECT. */
  byeCode: number | undefined;
  session: SessionNote | undefined;
  generation: number;
  admittedMillis: number;
  token: TokenFacts | undefined;
  /** Wall seconds: the right ends not before the first and at the latest at the second. */
  rightEnds: readonly [earliest: number, latest: number];
  /** Wall seconds: as `rightEnds`, before the registry moved the end nearer. */
  tokenEndsSeconds: number;
  /** Monotonic: by then it must be cut, its right being gone. */
  cutByMillis: number;
  lastArrivalMillis: number;
  /** What the peer did that the standard ends a connection for. */
  readonly faults: Set<string>;
  readonly uploads: Upload[];
  readonly inFlight: Map<number, CommandNote | { readonly configVersion: number }>;
  configWritten: number;
  lastOrder: number;
  readonly subscribes: { readonly packetIdentifier: number; readonly granted: readonly number[] }[];
  readonly unsubscribes: number[];
  pings: number;
  authentication: (Judgement & { readonly isSame: boolean }) | undefined;
  /** Renewals whose AUTH has not left. */
  authAnswers: number;
  verifiedMillis: number;
  saidGoodbye: boolean;
  /** What the peer's network holds was much at this time (monotonic). */
  fullMillis: number;
  storeRefusedMillis: number;
}

/** Arrived while its CONNECT was being judged: counted when that is done. */
export type Deferred = () => void;

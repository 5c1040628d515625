/**
 * Ports of the agent: what it asks of the machine it runs on.
 *
 * Time, chance, hashing, signing, the network and the few bytes that outlive a restart come in here and nowhere else,
 * so that one source serves Node, a microcontroller and the simulator.
 */
import type {
  ByteLink,
  ByteLinkEvents,
  Clock,
  Es256Signer,
  NumericDate,
  Random,
  Sha256,
  Timers,
} from "@mayfly/core";
import type { KeyChoice } from "./key/key-choice.ts";
import type { OutboxStore } from "./outbox-store.ts";

/**
 * Signs a whole message with a device key: SHA-256 and ECDSA P-256 in one operation.
 *
 * A chip signs a digest ({@link Es256Signer}); Node's own cryptography cannot (it always hashes what it is
 * given), so a software key offers this shape instead. The agent takes either.
 */
export interface Es256MessageSigner {
  readonly keyId: string;
  /** @param message ASCII of a JWS signing input. @returns R‖S, 64 bytes (RFC 7518 §3.4). */
  signMessage(message: Uint8Array): Promise<Uint8Array>;
}

export type AgentSigner = Es256Signer | Es256MessageSigner;

/** Whether tokens may be signed now, with which time, and how wrong that may be. */
export type Readiness =
  | { readonly kind: "ready"; readonly now: NumericDate; readonly uncertaintySeconds: number }
  /** `because`: in words, for a status. */
  | { readonly kind: "waiting"; readonly because: string };

/** The bridge's time, as it came with an answer that nobody signed. */
export interface TimeHint {
  readonly serverTime: NumericDate;
  /** Monotonic instants between which the bridge wrote it. */
  readonly sentMillis: number;
  readonly receivedMillis: number;
}

/** The time of this device, as whoever signs and renews asks for it. */
export interface DeviceTime {
  readiness(): Readiness;
  /**
   * How wrong `readiness().now` may have become by a later monotonic instant if nothing better is learned until then,
   * in seconds; at least what it is now.
   */
  uncertaintySecondsAt(monotonicMillis: number): number;
  /**
   * The bridge refused a token, and a wrong clock may be why: asks every source once more, within the rules of trust.
   *
   * @param hint What the bridge said its time is, where it did.
   * @param settle Told once, never synchronously and within half a minute: whether `readiness()` answers otherwise now.
   */
  correct(hint: TimeHint | undefined, settle: (outcome: "corrected" | "unchanged") => void): void;
}

/** Small values that outlive a restart and a loss of power. */
export interface SmallStore {
  /**
   * @param key 1 to 15 ASCII letters, digits and `-` (NVS has no longer ones).
   * @returns What was last written and is known to be whole, at most {@link smallValueBytesMax} bytes.
   */
  read(key: string): Uint8Array | undefined;
  /** Resolves when the value is durable; a crash before leaves the old value or the new one. Rejects when it cannot be kept. */
  write(key: string, value: Uint8Array): Promise<void>;
}

export const smallValueBytesMax = 1_024;

/** One peer over UDP: what comes from another address or port is never delivered. */
export interface DatagramLink {
  /** At most 1,200 bytes; may be lost, as any datagram. Before `opened` it is not sent. */
  send(bytes: Uint8Array): void;
  /** Idempotent; nothing is told afterwards. */
  close(): void;
}

export interface DatagramEvents {
  opened(): void;
  received(bytes: Uint8Array): void;
  /** The name is not known, or the socket failed. At most once, and the last that is told. */
  failed(because: string): void;
}

/** Never answers synchronously. */
export type OpenDatagram = (
  peer: { readonly host: string; readonly port: number },
  events: DatagramEvents,
) => DatagramLink;

/** An I2C bus, as far as a clock chip needs it; the secure element's bus fits. Rejects when the bus itself fails. */
export interface I2cBus {
  /** START, `address` (7-bit) + W, bytes, STOP. */
  write(address: number, bytes: Uint8Array): Promise<"ack" | "nack">;
  /** START, `address` + R, `length` bytes, STOP. @returns undefined on NACK. */
  read(address: number, length: number): Promise<Uint8Array | undefined>;
}

/** What the agent is told of a link it asked for. */
export interface LinkEvents extends ByteLinkEvents {
  /** The link is up (over TLS: the peer is authenticated). At most once, before anything is received. */
  opened(): void;
}

/**
 * Opens a link to the bridge. Never answers synchronously; a link that cannot be had is `closed` without
 * having been `opened`. Writes before `opened` are not made. `close` also gives up an attempt under way.
 */
export type Connect = (events: LinkEvents) => ByteLink;

export interface AgentPorts {
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly timers: Timers;
  readonly random: Random;
  readonly sha256: Sha256;
  /** One key, or a choice of up to three (`createDeviceKeys`). */
  readonly signer: AgentSigner | KeyChoice;
  readonly time: DeviceTime;
  readonly connect: Connect;
  /**
   * Remembers which config is in force. Give it only where what the application made of its config outlives a restart
   * too: the same config is not handed over again. Without it, each start hands over the config once.
   */
  readonly configStore?: SmallStore;
  /** What is learned outlives a restart; without one it is learned anew. */
  readonly store?: SmallStore;
  /** Where messages outlive the process; without one they last as long as it does. */
  readonly outbox?: OutboxStore;
}

/**
 * Ports: what the pure parts of Mayfly ask of the machine they run on.
 *
 * Time, randomness, timers and sockets come in through these few shapes, so that the simulator can
 * drive the real agent and the real bridge in virtual time from one seed. An adapter lives in a
 * `host/` folder; nothing else touches the clock, the disk or the network.
 */

/** Seconds since 1970-01-01T00:00:00Z, whole or fractional, leap seconds ignored (RFC 7519 §2). */
export type NumericDate = number;

export interface Clock {
  /** Milliseconds since some fixed instant of this process. Never steps back, never jumps. */
  monotonicMillis(): number;
  /** What this machine believes the world's clock shows. May step in either direction. */
  wallSeconds(): NumericDate;
}

/** Undoes a {@link Timers.after} that has not run yet; harmless afterwards. */
export type CancelTimer = () => void;

export interface Timers {
  /** Runs `run` once, `delayMillis` (0 to 2^31 - 1) from now on the monotonic clock, never synchronously. */
  after(delayMillis: number, run: () => void): CancelTimer;
}

export interface Random {
  /** Fills `bytes` with unpredictable bytes and returns it. */
  fill(bytes: Uint8Array): Uint8Array;
}

export interface Sha256 {
  /** @returns 32 bytes (FIPS 180-4). */
  digest(bytes: Uint8Array): Uint8Array;
}

/** Signs for one device key. The private half need not be readable, nor even be in this machine. */
export interface Es256Signer {
  readonly keyId: string;
  /** @param digest SHA-256, 32 bytes. @returns R‖S, 64 bytes (RFC 7518 §3.4). Rejects with the adapter's typed error. */
  signDigest(digest: Uint8Array): Promise<Uint8Array>;
}

/** One side of a Network Connection, as the pure machine that owns it sees it. */
export interface ByteLink {
  /** Queues bytes; order is kept. The machine does not touch the array afterwards. */
  write(bytes: Uint8Array): void;
  /** Closes after what was written has left. Idempotent. */
  close(): void;
  /** Written and not yet taken by the network. */
  readonly bufferedBytes: number;
  /** Stops and restarts delivery of received bytes (TCP backpressure). */
  pause(): void;
  resume(): void;
}

/** What the machine is told of its link. Never called again after `closed`. */
export interface ByteLinkEvents {
  received(bytes: Uint8Array): void;
  /** @param because empty for an orderly end, else a short reason fit for a log. */
  closed(because: string): void;
}

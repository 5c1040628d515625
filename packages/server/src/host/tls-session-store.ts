/**
 * TLS 1.2 sessions by session id, for clients that know no tickets: a bounded store in memory.
 *
 * Node resumes by session id only when both `newSession` and `resumeSession` are handled. Under TLS 1.3 the
 * same events fire for tickets that are resumed without us, so those sessions are recognised and not kept.
 * Oldest out first; the lifetime bounds what a stolen memory image could resume.
 */
import type { Server } from "node:tls";

export const tlsSessionsMax = 20_000;
export const tlsSessionLifetimeMillis = 2 * 3_600_000;

export class TlsSessionStore {
  readonly #sessions = new Map<string, { readonly data: Buffer; readonly untilMillis: number }>();
  readonly #monotonicMillis: () => number;
  readonly #max: number;

  constructor(options: { readonly monotonicMillis: () => number; readonly max?: number }) {
    this.#monotonicMillis = options.monotonicMillis;
    this.#max = options.max ?? tlsSessionsMax;
  }

  get size(): number {
    return this.#sessions.size;
  }

  attach(server: Server): void {
    server.on("newSession", (id: Buffer, data: Buffer, done: () => void) => {
      if (!isTls13Session(data)) this.put(id, data);
      done();
    });
    server.on("resumeSession", (id: Buffer, done: (error: Error | null, data: Buffer | null) => void) => {
      done(null, this.take(id) ?? null);
    });
  }

  put(id: Buffer, data: Buffer): void {
    const key = id.toString("latin1");
    this.#sessions.delete(key);
    this.#sessions.set(key, { data, untilMillis: this.#monotonicMillis() + tlsSessionLifetimeMillis });
    if (this.#sessions.size > this.#max) {
      const oldest = this.#sessions.keys().next();
      if (oldest.done !== true) this.#sessions.delete(oldest.value);
    }
  }

  take(id: Buffer): Buffer | undefined {
    const key = id.toString("latin1");
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    if (session.untilMillis <= this.#monotonicMillis()) {
      this.#sessions.delete(key);
      return undefined;
    }
    return session.data;
  }
}

/** OpenSSL's SSL_SESSION in DER: SEQUENCE { INTEGER structure version, INTEGER protocol version, … }. */
export function isTls13Session(data: Uint8Array): boolean {
  let at = 2;
  const length = data[1] ?? 0;
  if (length & 0x80) at += length & 0x7f;
  at += 2 + (data[at + 1] ?? 0);
  return data[at] === 0x02 && data[at + 1] === 0x02 && data[at + 2] === 0x03 && data[at + 3] === 0x04;
}

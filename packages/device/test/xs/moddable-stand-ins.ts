/**
 * Stand-ins for the Moddable SDK's modules, as its sources read (8.2), with the habits an adapter has to live with.
 *
 * - TCP: the first `onWritable` means connected; a write before that throws "not ready", one without room "would
 *   block"; a write after an error is taken and lost; `onError` says nothing and comes after the last byte was read.
 * - TLS: counts 96 bytes for its overhead, throws out of the callbacks of the socket below it when a handshake fails,
 *   and tells of nothing readable while something is unread.
 * - Timers: a delay is compared as signed 32-bit, and clearing one that has run throws. Ticks are signed and roll over.
 */
import type { XsSocket, XsTcpClass, XsTcpOptions, XsTlsOptions, XsUdpOptions } from "@mayfly/device/xs";

type WaitingTimer = { readonly id: number; readonly at: number; readonly run: () => void };

/** Time that moves when told to, as the module `time` counts it and the module `timer` waits for it. */
export class StandInTime {
  #now = 0;
  readonly #startTicks: number;
  #waiting: WaitingTimer[] = [];
  #ids = 0;
  /** The longest delay that was asked for. */
  longestMillis = 0;

  constructor(startTicks = 0) {
    this.#startTicks = startTicks;
  }

  get timersWaiting(): number {
    return this.#waiting.length;
  }

  get ticks(): number {
    return (this.#startTicks + this.#now) | 0;
  }

  delta(start: number): number {
    return (this.ticks - start) | 0;
  }

  readonly timer = {
    set: (run: () => void, delayMillis: number): number => {
      if (!Number.isInteger(delayMillis) || (delayMillis | 0) !== delayMillis || delayMillis < 0)
        throw new RangeError("invalid interval");
      this.longestMillis = Math.max(this.longestMillis, delayMillis);
      const id = ++this.#ids;
      this.#waiting.push({ id, at: this.#now + delayMillis, run });
      return id;
    },
    clear: (id: unknown): void => {
      const before = this.#waiting.length;
      this.#waiting = this.#waiting.filter((timer) => timer.id !== id);
      if (this.#waiting.length === before) throw new Error("invalid timer");
    },
  };

  advance(millis: number): void {
    const end = this.#now + millis;
    for (;;) {
      const [next] = this.#waiting.toSorted((a, b) => a.at - b.at || a.id - b.id);
      if (next === undefined || next.at > end) break;
      this.#waiting = this.#waiting.filter((timer) => timer !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}

/** A name look-up that is answered when the test says so. */
export class StandInNet {
  readonly asked: { readonly name: string; readonly answer: (address?: string) => void }[] = [];
  isBusy = false;

  resolve(name: string, callback: (name: string, address?: string) => void): void {
    if (this.isBusy) throw new Error("resolve queue is full");
    this.asked.push({ name, answer: (address) => callback(name, address) });
  }
}

/** lwIP's sockets: how many there are, and the TCP class that opens them. */
export class StandInSockets {
  readonly open: StandInTcp[] = [];
  /** The most that were open at once. */
  most = 0;
  readonly Tcp: XsTcpClass;

  constructor(max = 4) {
    const sockets = this;
    this.Tcp = class extends StandInTcp {
      constructor(options: XsTcpOptions) {
        if (sockets.open.length >= max) throw new Error("no socket");
        super(options, (socket) => sockets.open.splice(sockets.open.indexOf(socket), 1));
        sockets.open.push(this);
        sockets.most = Math.max(sockets.most, sockets.open.length);
      }
    };
  }

  get last(): StandInTcp {
    const socket = this.open.at(-1);
    if (socket === undefined) throw new Error("no socket is open");
    return socket;
  }
}

class StandInTcp implements XsSocket {
  readonly options: XsTcpOptions;
  readonly written: number[] = [];
  readonly #closed: (socket: StandInTcp) => void;
  #room = -1;
  #unread: number[] = [];
  #hasFailed = false;
  #isClosed = false;

  constructor(options: XsTcpOptions, closed: (socket: StandInTcp) => void) {
    this.options = options;
    this.#closed = closed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  read(byteLength?: number): ArrayBuffer | undefined {
    if (this.#unread.length === 0) return undefined;
    const bytes = Uint8Array.from(this.#unread.splice(0, byteLength ?? this.#unread.length));
    if (this.#hasFailed && this.#unread.length === 0) queueMicrotask(() => this.options.onError());
    return bytes.buffer;
  }

  write(bytes: Uint8Array): number | undefined {
    if (this.#isClosed) throw new Error("closed");
    if (this.#room < 0) throw new Error("not ready");
    if (this.#hasFailed) return undefined;
    if (bytes.length > this.#room) throw new Error("would block");
    this.#room -= bytes.length;
    this.written.push(...bytes);
    return this.#room;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed(this);
  }

  /** Connected, or the peer took what was written. */
  giveRoom(byteLength: number): void {
    this.#room = byteLength;
    this.options.onWritable(byteLength);
  }

  arrive(...bytes: readonly number[]): void {
    this.#unread.push(...bytes);
    this.options.onReadable(this.#unread.length);
  }

  fail(): void {
    this.#hasFailed = true;
    if (this.#unread.length === 0) this.options.onError();
  }
}

/** The SDK's TLS socket: a handshake of one byte each way, records that cost 29 bytes more than they carry. */
export class StandInTls implements XsSocket {
  readonly #socket: XsSocket;
  readonly #options: XsTlsOptions;
  #isReady = false;
  #room = 0;
  #unread: ArrayBuffer | undefined;

  constructor(options: XsTlsOptions) {
    this.#options = options;
    this.#socket = new options.TCP.io({
      ...options,
      onReadable: () => this.#readable(),
      onWritable: (byteLength) => this.#writable(byteLength),
      onError: () => options.onError(),
    });
  }

  read(): ArrayBuffer | undefined {
    const bytes = this.#unread;
    this.#unread = undefined;
    return bytes;
  }

  write(bytes: Uint8Array): number {
    this.#socket.write(new Uint8Array([0x17, ...new Uint8Array(28), ...bytes]));
    return Math.max(0, this.#room - 96);
  }

  close(): void {
    this.#socket.close();
  }

  #writable(byteLength: number): void {
    this.#room = byteLength;
    if (!this.#isReady) this.#socket.write(Uint8Array.of(0x16));
    else if (byteLength > 96) this.#options.onWritable(byteLength - 96);
  }

  #readable(): void {
    if (this.#unread !== undefined) return;
    const bytes = this.#socket.read();
    if (bytes === undefined) return;
    if (this.#isReady) {
      this.#unread = bytes;
      this.#options.onReadable(bytes.byteLength);
      return;
    }
    // The peer's certificate: 1 is good.
    if (new Uint8Array(bytes)[0] !== 1) throw new Error("bad certificate");
    this.#isReady = true;
    this.#writable(this.#room);
  }
}

/** UDP: datagrams that know where they came from. */
export class StandInUdp {
  static readonly open: StandInUdp[] = [];
  static most = 0;
  readonly sent: { readonly bytes: readonly number[]; readonly address: string; readonly port: number }[] =
    [];
  readonly #options: XsUdpOptions;
  #waiting: (ArrayBuffer & { readonly address: string; readonly port: number })[] = [];

  constructor(options: XsUdpOptions) {
    this.#options = options;
    StandInUdp.open.push(this);
    StandInUdp.most = Math.max(StandInUdp.most, StandInUdp.open.length);
  }

  read(): (ArrayBuffer & { readonly address: string; readonly port: number }) | undefined {
    return this.#waiting.shift();
  }

  write(bytes: Uint8Array, address: string, port: number): void {
    this.sent.push({ bytes: [...bytes], address, port });
  }

  close(): void {
    StandInUdp.open.splice(StandInUdp.open.indexOf(this), 1);
  }

  arrive(address: string, port: number, ...bytes: readonly number[]): void {
    this.#waiting.push(Object.assign(Uint8Array.from(bytes).buffer, { address, port }));
    this.#options.onReadable(this.#waiting.length);
  }
}

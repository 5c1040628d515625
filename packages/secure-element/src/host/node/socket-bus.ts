/**
 * The I2C bus of a simulated chip behind a socket: the host's side of the protocol in `chip-socket-server.ts`.
 *
 * Host→chip `type(1) addr8(1) len(2) payload`, chip→host `status(1) len(2) payload`, numbers big-endian, one request
 * under way at a time. Time is the simulator's own: a wait is a message that moves it, and costs nothing; with
 * `time: "real"`, for a simulator run with `--real-time`, a wait is a wait.
 */
import { connect, type Socket } from "node:net";
import { BusError, type ChipTime, type I2cBus } from "../../bus.ts";
import { systemChipTime } from "./system-time.ts";

/** Requests that may wait for their turn. Each driver has one at a time, and few chips share a bus. */
export const SOCKET_REQUESTS_MAX = 32;
/** How long a simulator may take to answer, beyond the delay it was asked for. */
const REPLY_MILLIS_MAX = 10_000;
const WAKE_HZ = 100_000;
const DELAY_MICROS_MAX = 0xffff_ffff;
const REPLY_HEAD_BYTES = 3;
const types = { write: 0x57, read: 0x52, delay: 0x44, busSpeed: 0x42 } as const;

export interface SocketBusOptions {
  /** Whose time delays are taken from; "virtual" if absent. */
  readonly time?: "virtual" | "real";
  /** The clock of ordinary transactions; 100 000 if absent. The wake pulse goes at 100 kHz in any case. */
  readonly hz?: number;
}

export interface SocketBus extends I2cBus {
  /** The time to give to the driver with this bus. */
  readonly time: ChipTime;
  close(): void;
}

/**
 * @param where A Unix socket's path, or `host:port`.
 * @throws {BusError} (rejects) `bus_failed`: nobody listens there.
 */
export async function openSocketBus(where: string, options: SocketBusOptions = {}): Promise<SocketBus> {
  const socket = await open(where);
  const bus = new SocketI2cBus(socket, options);
  await bus.setSpeed();
  return bus;
}

async function open(where: string): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const colon = where.lastIndexOf(":");
    const port = Number(where.slice(colon + 1));
    const isAddress =
      colon > 0 && !where.includes("/") && Number.isInteger(port) && port > 0 && port < 65_536;
    const socket = isAddress ? connect(port, where.slice(0, colon)) : connect(where);
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once("error", (cause) => {
      reject(new BusError("bus_failed", `no chip simulator answers at ${where}`, { cause }));
    });
  });
}

interface Reply {
  readonly isAck: boolean;
  readonly payload: Uint8Array;
}

class SocketI2cBus implements SocketBus {
  readonly time: ChipTime;
  readonly #socket: Socket;
  readonly #hz: number;
  #virtualMicros = 0;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #closed: BusError | undefined;
  #received: Uint8Array = new Uint8Array(0);
  #answer: ((reply: Reply | BusError) => void) | undefined;

  constructor(socket: Socket, options: SocketBusOptions) {
    this.#socket = socket;
    this.#hz = options.hz ?? WAKE_HZ;
    this.time =
      options.time === "real"
        ? systemChipTime()
        : {
            monotonicMillis: () => this.#virtualMicros / 1000,
            delayMicros: (micros) => this.#delay(micros),
          };
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("error", (cause) =>
      this.#fail(new BusError("bus_failed", "the chip simulator's socket failed", { cause })),
    );
    socket.on("close", () => this.#fail(new BusError("bus_closed", "the chip simulator closed the socket")));
  }

  async write(address: number, bytes: Uint8Array): Promise<"ack" | "nack"> {
    this.#passBusTime(bytes.length);
    return (await this.#request(types.write, address, bytes)).isAck ? "ack" : "nack";
  }

  async read(address: number, length: number): Promise<Uint8Array | undefined> {
    this.#passBusTime(length);
    const reply = await this.#request(types.read, address, new Uint8Array(0), length);
    if (!reply.isAck) return undefined;
    if (reply.payload.length !== length)
      throw this.#fail(new BusError("bus_failed", "a reply of another length"));
    return reply.payload;
  }

  async wake(): Promise<void> {
    if (this.#hz > WAKE_HZ) await this.#request(types.busSpeed, 0, uint32(WAKE_HZ));
    await this.#request(types.write, 0, Uint8Array.of(0x01));
    this.#passBusTime(1);
    if (this.#hz > WAKE_HZ) await this.setSpeed();
  }

  async setSpeed(): Promise<void> {
    await this.#request(types.busSpeed, 0, uint32(this.#hz));
  }

  close(): void {
    this.#fail(new BusError("bus_closed", "the bus was closed"));
  }

  async #delay(micros: number): Promise<void> {
    const whole = Math.min(Math.ceil(micros), DELAY_MICROS_MAX);
    await this.#request(types.delay, 0, uint32(whole));
    this.#virtualMicros += whole;
  }

  /** The simulator's time moves with the bytes on its bus: nine clocks each, the address among them. */
  #passBusTime(bytes: number): void {
    this.#virtualMicros += ((bytes + 1) * 9 * 1_000_000) / this.#hz;
  }

  async #request(
    type: number,
    address: number,
    payload: Uint8Array,
    length = payload.length,
  ): Promise<Reply> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#waiting >= SOCKET_REQUESTS_MAX)
      throw new BusError("bus_failed", "too many requests wait for the bus");
    this.#waiting += 1;
    const reply = this.#tail.then(() => this.#exchange(type, address, payload, length));
    const done = (): void => {
      this.#waiting -= 1;
    };
    this.#tail = reply.then(done, done);
    return await reply;
  }

  async #exchange(type: number, address: number, payload: Uint8Array, length: number): Promise<Reply> {
    if (this.#closed !== undefined) throw this.#closed;
    const frame = new Uint8Array(4 + payload.length);
    frame.set([type, address << 1, length >>> 8, length & 0xff]);
    frame.set(payload, 4);
    const reply = await new Promise<Reply | BusError>((resolve) => {
      const delayMillis = type === types.delay ? uint32At(payload) / 1000 : 0;
      const timer = setTimeout(() => {
        this.#fail(new BusError("bus_failed", "the chip simulator does not answer"));
      }, delayMillis + REPLY_MILLIS_MAX);
      this.#answer = (answer) => {
        clearTimeout(timer);
        this.#answer = undefined;
        resolve(answer);
      };
      this.#socket.write(frame);
    });
    if (reply instanceof BusError) throw reply;
    return reply;
  }

  #receive(chunk: Uint8Array): void {
    if (this.#answer === undefined) {
      this.#fail(new BusError("bus_failed", "the chip simulator speaks unasked"));
      return;
    }
    const all = new Uint8Array(this.#received.length + chunk.length);
    all.set(this.#received);
    all.set(chunk, this.#received.length);
    this.#received = all;
    const length = ((all[1] ?? 0) << 8) | (all[2] ?? 0);
    if (all.length < REPLY_HEAD_BYTES || all.length < REPLY_HEAD_BYTES + length) return;
    if (all.length > REPLY_HEAD_BYTES + length) {
      this.#fail(new BusError("bus_failed", "the chip simulator said more than it was asked"));
      return;
    }
    this.#received = new Uint8Array(0);
    this.#answer({ isAck: all[0] === 0, payload: all.slice(REPLY_HEAD_BYTES) });
  }

  /** The first failure is the one that lasts. */
  #fail(error: BusError): BusError {
    this.#closed ??= error;
    this.#socket.destroy();
    this.#answer?.(this.#closed);
    return this.#closed;
  }
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function uint32At(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return a * 0x1000000 + b * 0x10000 + c * 0x100 + d;
}

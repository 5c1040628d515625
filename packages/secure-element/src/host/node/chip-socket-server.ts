/**
 * A simulated chip on a socket, alone or with other devices on its bus, for host libraries in any language.
 *
 * Host to chip: `type(1) addr8(1) len(2, big-endian) payload`. Types: `W` write the payload; `R` read `len` bytes, no
 * payload; `D` delay, payload u32 µs; `B` bus speed, payload u32 Hz. Chip to host: `status(1: 0 ACK, 1 NACK) len(2,
 * big-endian) payload`. Addresses are in 8-bit form, 0xC0; the lowest bit is not looked at. All numbers big-endian.
 *
 * A bus has one host: a second connection waits its turn, up to {@link CLIENTS_WAITING_MAX}; further ones are closed
 * at once. The chip stays as it is between hosts, as silicon does. A frame that breaks the protocol closes its
 * connection. A stuck bus (fault `stuck_sda`) is a NACK on the wire, which has no third word.
 * Who answers at which address is the bus's affair (`sim-wire.ts`).
 *
 * Time is virtual: transactions and `D` move it, and nothing waits. With `realTime` it follows the wall: `D` is
 * answered when its time is over, and a busy chip is busy for as long as silicon would be.
 */

import { chmodSync, rmSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";

import type { ChipSim } from "../../sim/chip-sim.ts";
import { TRANSACTION_BYTES_MAX } from "../../sim/chip-sim.ts";
import { saveChipImage } from "./chip-image-file.ts";
import { type SimBusDevice, SimWire } from "./sim-wire.ts";

/** Hosts that wait while another one has the bus. */
export const CLIENTS_WAITING_MAX = 4;
/** The longest `D`: an hour. A longer one breaks the protocol. */
export const DELAY_MICROS_MAX = 3_600_000_000;

const FRAME_HEAD_BYTES = 4;
const ACK = 0;
const NACK = 1;

export interface ChipSocketServerOptions {
  readonly sim: ChipSim;
  /** What else sits on the bus, at other addresses. */
  readonly devices?: readonly SimBusDevice[];
  /** A path (Unix socket, made for its owner only), or an address; port 0 takes a free one. */
  readonly listen: string | { readonly host: string; readonly port: number };
  /** Virtual time follows the wall. Default: it does not. */
  readonly realTime?: boolean;
  /** Gets a line for each frame: what was written, read, NACKed. Digests and signatures are in it, private keys never are. */
  readonly trace?: (line: string) => void;
  /** Where the image is saved, owner-only, after each frame that changed EEPROM. */
  readonly imageFile?: string;
}

export interface ChipSocketServer {
  /** The path, or `host:port` with the real port. */
  readonly address: string;
  /** Closes the hosts' connections and the socket. */
  close(): Promise<void>;
}

/** @returns Once the socket exists. @throws {Error} The address cannot be listened on. */
export async function startChipSocketServer(options: ChipSocketServerOptions): Promise<ChipSocketServer> {
  const front = new ChipFront(options);
  const server = createServer((socket) => {
    front.admit(socket);
  });
  await listen(server, options.listen);
  if (typeof options.listen === "string") chmodSync(options.listen, 0o600);
  return {
    address: formatAddress(server, options.listen),
    close: async () => {
      front.closeAll();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      if (typeof options.listen === "string") rmSync(options.listen, { force: true });
    },
  };
}

async function listen(server: Server, where: ChipSocketServerOptions["listen"]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const ready = (): void => {
      server.off("error", reject);
      resolve();
    };
    if (typeof where === "string") server.listen(where, ready);
    else server.listen(where.port, where.host, ready);
  });
}

function formatAddress(server: Server, where: ChipSocketServerOptions["listen"]): string {
  const bound = server.address();
  if (typeof where === "string" || bound === null || typeof bound === "string") return String(bound);
  return `${where.host}:${String(bound.port)}`;
}

interface Frame {
  readonly type: string;
  readonly addr8: number;
  readonly length: number;
  readonly payload: Uint8Array;
}

/** The chip's one place on the bus, and those who wait for it. */
class ChipFront {
  readonly #options: ChipSocketServerOptions;
  readonly #wire: SimWire;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: Socket[] = [];
  #current: Socket | undefined;
  /** Wall time when the server started. */
  readonly #wallStart: number;
  #savedChanges: number;

  constructor(options: ChipSocketServerOptions) {
    this.#options = options;
    this.#wire = new SimWire([options.sim, ...(options.devices ?? [])]);
    this.#wallStart = performance.now() * 1000;
    this.#savedChanges = options.sim.eepromChanges();
  }

  admit(socket: Socket): void {
    if (this.#current !== undefined && this.#waiting.length >= CLIENTS_WAITING_MAX) {
      this.#options.trace?.("host turned away: too many are waiting");
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // A host that vanishes is no news to a chip; "close" follows.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#leave(socket);
    });
    if (this.#current === undefined) this.#serve(socket);
    else this.#waiting.push(socket);
  }

  closeAll(): void {
    this.#waiting.length = 0;
    for (const socket of this.#sockets) socket.destroy();
  }

  #leave(socket: Socket): void {
    this.#sockets.delete(socket);
    const place = this.#waiting.indexOf(socket);
    if (place >= 0) this.#waiting.splice(place, 1);
    if (this.#current !== socket) return;
    this.#current = undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#serve(next);
  }

  #serve(socket: Socket): void {
    this.#current = socket;
    this.#converse(socket).then(
      () => socket.end(),
      () => socket.destroy(),
    );
  }

  /** One frame at a time: nothing more is read from the socket while one is being answered. */
  async #converse(socket: Socket): Promise<void> {
    let pending = Buffer.alloc(0);
    for await (const chunk of socket) {
      pending = Buffer.concat([pending, chunk as Buffer]);
      for (
        let size = frameSize(pending);
        size !== undefined && pending.length >= size;
        size = frameSize(pending)
      ) {
        const frame = decodeFrame(pending.subarray(0, size));
        pending = pending.subarray(size);
        socket.write(await this.#answer(frame));
      }
    }
  }

  async #answer(frame: Frame): Promise<Buffer> {
    const { sim, realTime, trace, imageFile } = this.#options;
    const wire = this.#wire;
    if (realTime === true) wire.advanceMicros(Math.max(0, this.#wallMicros() - wire.nowMicros()));
    const reply = this.#carryOut(frame);
    if (realTime === true) await this.#waitForWall();
    if (imageFile !== undefined && sim.eepromChanges() !== this.#savedChanges) {
      this.#savedChanges = sim.eepromChanges();
      saveChipImage(imageFile, sim.image());
    }
    trace?.(traceLine(wire.nowMicros(), frame, reply));
    return encodeReply(reply);
  }

  /** @returns The bytes read, no bytes for an ACK, undefined for a NACK. */
  #carryOut(frame: Frame): Uint8Array | undefined {
    const address = frame.addr8 >> 1;
    switch (frame.type) {
      case "W":
        return this.#wire.write(address, frame.payload) ? new Uint8Array(0) : undefined;
      case "R":
        return this.#wire.read(address, frame.length);
      case "D":
        this.#wire.advanceMicros(Buffer.from(frame.payload).readUInt32BE());
        return new Uint8Array(0);
      default:
        this.#wire.setBusHz(Buffer.from(frame.payload).readUInt32BE());
        return new Uint8Array(0);
    }
  }

  #wallMicros(): number {
    return performance.now() * 1000 - this.#wallStart;
  }

  async #waitForWall(): Promise<void> {
    for (let ahead = this.#ahead(); ahead > 0; ahead = this.#ahead())
      await wait(Math.max(1, Math.ceil(ahead / 1000)));
  }

  /** µs by which the chip's time is before the wall's; less than half a millisecond is not worth a timer. */
  #ahead(): number {
    const ahead = this.#wire.nowMicros() - this.#wallMicros();
    return ahead < 500 ? 0 : ahead;
  }
}

/** @returns Bytes the whole frame takes; undefined while its head is not there. @throws {Error} It breaks the protocol. */
function frameSize(pending: Buffer): number | undefined {
  if (pending.length < FRAME_HEAD_BYTES) return undefined;
  const type = String.fromCharCode(pending.readUInt8(0));
  const length = pending.readUInt16BE(2);
  const isKnown =
    (type === "W" && length <= TRANSACTION_BYTES_MAX) ||
    (type === "R" && length >= 1 && length <= TRANSACTION_BYTES_MAX) ||
    ((type === "D" || type === "B") && length === 4);
  if (!isKnown) throw new Error("a frame that is none of W, R, D, B, or is too long");
  return type === "R" ? FRAME_HEAD_BYTES : FRAME_HEAD_BYTES + length;
}

function decodeFrame(bytes: Buffer): Frame {
  const frame: Frame = {
    type: String.fromCharCode(bytes.readUInt8(0)),
    addr8: bytes.readUInt8(1),
    length: bytes.readUInt16BE(2),
    payload: Uint8Array.from(bytes.subarray(FRAME_HEAD_BYTES)),
  };
  const number = frame.type === "D" || frame.type === "B" ? bytes.readUInt32BE(FRAME_HEAD_BYTES) : 0;
  if (frame.type === "D" && number > DELAY_MICROS_MAX) throw new Error("a delay of more than an hour");
  if (frame.type === "B" && number === 0) throw new Error("a bus that does not move");
  return frame;
}

function encodeReply(payload: Uint8Array | undefined): Buffer {
  const length = payload?.length ?? 0;
  const head = Buffer.of(payload === undefined ? NACK : ACK, length >> 8, length & 0xff);
  return payload === undefined ? head : Buffer.concat([head, payload]);
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

function traceLine(nowMicros: number, frame: Frame, reply: Uint8Array | undefined): string {
  const at = `${(nowMicros / 1000).toFixed(3)} ms`;
  const target = frame.addr8.toString(16).padStart(2, "0").toUpperCase();
  switch (frame.type) {
    case "W":
      return `${at} W@${target} ${hex(frame.payload)} ${reply === undefined ? "NACK" : "ACK"}`;
    case "R":
      return `${at} R@${target} ${String(frame.length)} ${reply === undefined ? "NACK" : hex(reply)}`;
    default:
      return `${at} ${frame.type} ${String(Buffer.from(frame.payload).readUInt32BE())}`;
  }
}

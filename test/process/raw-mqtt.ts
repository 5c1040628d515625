/**
 * MQTT from the bytes up, for tests of many connections: a client of a few hundred bytes per session over node:tls,
 * with nothing between the test and the wire that waits, retries or repairs.
 *
 * Packets are written from the standards (3.1.1 and 5.0, chapter 3). Left to others: who the devices are
 * (`fleet.ts`).
 */
import type { TLSSocket } from "node:tls";

export type ProtocolVersion = 4 | 5;

export const packetType = {
  connack: 2,
  publish: 3,
  puback: 4,
  suback: 9,
  unsuback: 11,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

export interface ConnectOrder {
  readonly version: ProtocolVersion;
  readonly clientIdentifier: string;
  readonly token: string;
  /** 5.0: the token travels as Authentication Data of this method, else as the Password. */
  readonly method?: string;
  /** 3.1.1 takes no Password without one (§3.1.2.9). */
  readonly userName?: string;
  /** Clean Start or Clean Session; true unless told otherwise. */
  readonly clean?: boolean;
}

/** Keep Alive is off: the session is silent. */
export function connectPacket(order: ConnectOrder): Buffer {
  const { version, clientIdentifier, token, method, userName, clean = true } = order;
  const isByMethod = method !== undefined;
  const flags = (clean ? 0x02 : 0) | (isByMethod ? 0 : 0x40) | (userName === undefined ? 0 : 0x80);
  return packet(0x10, [
    field("MQTT"),
    Buffer.of(version, flags, 0, 0),
    ...(version === 5 ? [isByMethod ? authentication(method, token) : Buffer.of(0)] : []),
    field(clientIdentifier),
    ...(userName === undefined ? [] : [field(userName)]),
    ...(isByMethod ? [] : [field(token)]),
  ]);
}

/** Re-authenticate (5.0 §3.15). */
export function authPacket(method: string, token: string): Buffer {
  return packet(0xf0, [Buffer.of(0x19), authentication(method, token)]);
}

/** One Topic Filter, QoS 1, Packet Identifier 1. */
export function subscribePacket(version: ProtocolVersion, topicFilter: string): Buffer {
  const noProperties = version === 5 ? [Buffer.of(0)] : [];
  return packet(0x82, [Buffer.of(0, 1), ...noProperties, field(topicFilter), Buffer.of(1)]);
}

/** QoS 1, without properties. */
export function publishPacket(
  version: ProtocolVersion,
  message: {
    readonly topicName: string;
    readonly packetIdentifier: number;
    readonly payload: string;
    readonly isDuplicate: boolean;
  },
): Buffer {
  const { topicName, packetIdentifier, payload, isDuplicate } = message;
  const noProperties = version === 5 ? [Buffer.of(0)] : [];
  return packet(isDuplicate ? 0x3a : 0x32, [
    field(topicName),
    Buffer.of(packetIdentifier >> 8, packetIdentifier & 0xff),
    ...noProperties,
    Buffer.from(payload),
  ]);
}

export function pubackPacket(packetIdentifier: number): Buffer {
  return Buffer.of(0x40, 2, packetIdentifier >> 8, packetIdentifier & 0xff);
}

/** Reads the body of a QoS 1 PUBLISH with fewer than 128 bytes of properties. */
export function readPublish(
  version: ProtocolVersion,
  body: Buffer,
): { readonly packetIdentifier: number; readonly payload: string } {
  const at = 2 + body.readUInt16BE(0);
  const payloadAt = at + 2 + (version === 5 ? 1 + body.readUInt8(at + 2) : 0);
  return { packetIdentifier: body.readUInt16BE(at), payload: body.subarray(payloadAt).toString() };
}

export const pingreqPacket: Buffer = Buffer.of(0xc0, 0);
export const disconnectPacket: Buffer = Buffer.of(0xe0, 0);

export interface Received {
  readonly type: number;
  /** What follows the fixed header. */
  readonly body: Buffer;
}

export interface Cut {
  /** By this machine's wall clock, when the connection was gone. */
  readonly atMillis: number;
  /** Of the bridge's DISCONNECT; 3.1.1 has none. */
  readonly reasonCode: number | undefined;
}

/** One connection: what is sent, and the packets that come. */
export class RawConnection {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly cut: Promise<Cut>;
  readonly #socket: TLSSocket;
  readonly #waiting: { readonly type: number; readonly resolve: (body: Buffer) => void }[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #reasonCode: number | undefined;
  #isGone = false;
  #because = "";
  #onGone: (() => void)[] = [];
  readonly #others: (packet: Received) => void;

  /** @param others Told of each packet nobody waits for. */
  constructor(socket: TLSSocket, others: (packet: Received) => void = () => undefined) {
    this.#socket = socket;
    this.#others = others;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => {
      this.#because = error.message;
    });
    this.cut = new Promise((resolve) => {
      socket.once("close", () => {
        this.#isGone = true;
        resolve({ atMillis: Date.now(), reasonCode: this.#reasonCode });
        for (const gone of this.#onGone) gone();
      });
    });
  }

  /** Sends, and waits for the next packet of that type. @returns its body. */
  ask(bytes: Uint8Array, type: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const gone = () =>
        reject(new Error(`the connection ended before a packet of type ${type} came: ${this.#because}`));
      if (this.#isGone) return gone();
      this.#waiting.push({ type, resolve });
      this.#onGone = [gone];
      this.#socket.write(bytes);
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const read = readPacket(this.#rest);
      if (read === undefined) return;
      this.#rest = this.#rest.subarray(read.length);
      this.#received(read.received);
    }
  }

  #received({ type, body }: Received): void {
    if (type === packetType.disconnect) this.#reasonCode = body[0] ?? 0;
    const [first] = this.#waiting;
    if (first?.type !== type) {
      this.#others({ type, body });
      return;
    }
    this.#waiting.shift();
    first.resolve(Buffer.from(body));
  }
}

/** @returns the first whole packet, and how many bytes it takes. */
function readPacket(bytes: Buffer): { readonly received: Received; readonly length: number } | undefined {
  let remaining = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    const digit = bytes[at] ?? 0;
    remaining |= (digit & 0x7f) << (7 * (at - 1));
    if (digit >= 0x80) continue;
    const length = at + 1 + remaining;
    if (bytes.length < length) return undefined;
    return { received: { type: (bytes[0] ?? 0) >> 4, body: bytes.subarray(at + 1, length) }, length };
  }
  return undefined;
}

function packet(first: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(first), variable(body.length), body]);
}

/** Property Length, Authentication Method, Authentication Data (5.0 §3.1.2.11). */
function authentication(method: string, token: string): Buffer {
  const properties = Buffer.concat([Buffer.of(0x15), field(method), Buffer.of(0x16), field(token)]);
  return Buffer.concat([variable(properties.length), properties]);
}

function field(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** Variable Byte Integer (5.0 §1.5.5). */
function variable(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return Buffer.from(bytes);
}

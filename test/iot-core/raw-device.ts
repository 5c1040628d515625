/**
 * A device of MQTT 3.1.1 from the bytes up: every field of its packets can be what no library would send.
 *
 * What comes is kept in order, so that a test can wait for a packet whether or not it came already.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { type BridgeProcess, clientIdentifier } from "../process/bridge-process.ts";
import { packetType, RawConnection, type Received } from "../process/raw-mqtt.ts";

export interface ConnectFields {
  readonly clientIdentifier: string;
  /** Absent: its flag is 0. */
  readonly userName?: string;
  readonly password?: string;
  readonly protocolName?: string;
  readonly level?: number;
  readonly keepAlive?: number;
  /** Flags beside those of the fields: Clean Session (0x02) unless told otherwise. */
  readonly flags?: number;
  readonly will?: { readonly topic: string; readonly payload: string };
}

/** CONNECT (3.1.1 §3.1). */
export function connectBytes(fields: ConnectFields): Buffer {
  const { userName, password, will } = fields;
  const flags =
    (fields.flags ?? 0x02) |
    (userName === undefined ? 0 : 0x80) |
    (password === undefined ? 0 : 0x40) |
    (will === undefined ? 0 : 0x04);
  const keepAlive = fields.keepAlive ?? 60;
  return packet(0x10, [
    text(fields.protocolName ?? "MQTT"),
    Buffer.of(fields.level ?? 4, flags, keepAlive >> 8, keepAlive & 0xff),
    text(fields.clientIdentifier),
    ...(will === undefined ? [] : [text(will.topic), text(will.payload)]),
    ...(userName === undefined ? [] : [text(userName)]),
    ...(password === undefined ? [] : [text(password)]),
  ]);
}

/** PUBLISH (§3.3); QoS 1 and 2 with Packet Identifier 7. */
export function publishBytes(
  topicName: string,
  payload: string | Buffer,
  how: { readonly qos?: 0 | 1 | 2; readonly retain?: true } = {},
): Buffer {
  const { qos = 1, retain } = how;
  return packet(0x30 | (qos << 1) | (retain === true ? 1 : 0), [
    text(topicName),
    ...(qos === 0 ? [] : [Buffer.of(0, 7)]),
    Buffer.from(payload),
  ]);
}

/** SUBSCRIBE (§3.8). */
export function subscribeBytes(...filters: readonly (readonly [topicFilter: string, qos: number])[]): Buffer {
  return packet(0x82, [
    Buffer.of(0, 9),
    ...filters.flatMap(([topicFilter, qos]) => [text(topicFilter), Buffer.of(qos)]),
  ]);
}

export function unsubscribeBytes(topicFilter: string): Buffer {
  return packet(0xa2, [Buffer.of(0, 9), text(topicFilter)]);
}

/** A PUBLISH that came. */
export interface Delivery {
  readonly topicName: string;
  readonly payload: string;
}

/** What a QoS 0 or QoS 1 PUBLISH holds. */
export function deliveryOf({ body }: Received, qos: 0 | 1): Delivery {
  const end = 2 + body.readUInt16BE(0);
  return {
    topicName: body.subarray(2, end).toString(),
    payload: body.subarray(end + (qos === 0 ? 0 : 2)).toString(),
  };
}

export class RawDevice {
  readonly link: RawConnection;
  readonly #came: Received[] = [];
  #told: () => void = () => undefined;
  #isCut = false;

  private constructor(link: (others: (packet: Received) => void) => RawConnection) {
    this.link = link((received) => {
      this.#came.push({ type: received.type, body: Buffer.from(received.body) });
      this.#told();
    });
    this.link.cut.then(() => {
      this.#isCut = true;
      this.#told();
    });
  }

  /** A TLS connection on which nothing was sent yet. */
  static open(bridge: BridgeProcess, port = bridge.port): Promise<RawDevice> {
    const socket = connect({ host: "localhost", port, ca: readFileSync(bridge.endpoints.ca) });
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("secureConnect", () => {
        socket.off("error", reject);
        resolve(new RawDevice((others) => new RawConnection(socket, others)));
      });
    });
  }

  /** Opens, and sends a CONNECT as firmware does: User Name `unused`. @throws when it is not accepted. */
  static async connect(
    bridge: BridgeProcess,
    id: string,
    token: string,
    extra: Partial<ConnectFields> = {},
  ): Promise<RawDevice> {
    const device = await RawDevice.open(bridge);
    const fields = { clientIdentifier: clientIdentifier(id), userName: "unused", password: token };
    const answer = await device.attempt(connectBytes({ ...fields, ...extra }));
    if (answer !== 0) throw new Error(`the CONNECT was answered ${answer}`);
    return device;
  }

  /** Sends a CONNECT. @returns CONNACK's return code, or "closed" where none came. */
  async attempt(connect: Uint8Array): Promise<number | "closed"> {
    this.link.send(connect);
    const connack = await this.next();
    if (connack === "closed") return "closed";
    if (connack.type !== packetType.connack) throw new Error(`a packet of type ${connack.type} came first`);
    return connack.body.readUInt8(1);
  }

  /** The next packet that came or comes, or "closed". */
  async next(): Promise<Received | "closed"> {
    for (;;) {
      const first = this.#came.shift();
      if (first !== undefined) return first;
      if (this.#isCut) return "closed";
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  /** Sends, and waits for one packet. @returns its type and body in hex, such as `9: 000901`; or "closed". */
  async ask(bytes: Uint8Array): Promise<string> {
    this.link.send(bytes);
    const answer = await this.next();
    return answer === "closed" ? "closed" : `${answer.type}: ${answer.body.toString("hex")}`;
  }

  end(): void {
    this.link.destroy();
  }
}

/** One CONNECT on a connection of its own, ended afterwards. */
export async function attemptConnect(
  bridge: BridgeProcess,
  fields: ConnectFields,
): Promise<number | "closed"> {
  const device = await RawDevice.open(bridge);
  const answer = await device.attempt(connectBytes(fields));
  device.end();
  return answer;
}

function packet(first: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.of(first, ...length), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

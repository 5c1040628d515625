/**
 * The house that hostile suites attack: a bridge process, its devices, and witnesses that nobody else suffers.
 *
 * Two witnesses watch throughout. An honest device on a connection of its own publishes at QoS 1 every 100 ms: the
 * longest wait for a PUBACK is what the attack cost it. And the memory of the process is read from /proc. When all is
 * over the bridge must be the same process, its gauges back to zero, and no socket open: nothing of a stranger is kept.
 *
 * Left to others: what is sent (`hostile-connects.ts`, `hostile-packets.ts`, `hostile-token-table.ts`).
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { BridgeProcess } from "../process/bridge-process.ts";
import { Fleet, type FleetDevice, signToken } from "../process/fleet.ts";
import {
  connectPacket,
  packetType,
  publishPacket,
  RawConnection,
  type Received,
} from "../process/raw-mqtt.ts";

/** A device that is served as if there were no attack waits at most this long for a PUBACK. */
export const honestWaitMillisMax = 2_000;
/** How much larger the process may have been, at any moment of an attack, than before it. */
export const grownBytesMax = 192 * 1024 * 1024;
const publishEveryMillis = 100;
const watchEveryMillis = 200;
const idleWithinMillis = 15_000;
/** Longest wait of a test for something that is bound to come. */
export const patienceMillis = 5_000;

/** Gauges that count what peers hold of the bridge; 0 where there are none. */
const peerGauges = [
  "mayfly_connections",
  "mayfly_connections_unauthenticated",
  "mayfly_sessions",
  "mayfly_deadlines",
  "mayfly_unacknowledged",
  "mayfly_held",
  "mayfly_held_bytes",
  "mayfly_in_flight_messages",
  "mayfly_in_flight_bytes",
  "mayfly_admissions_waiting",
  "mayfly_downlink_in_flight",
  "mayfly_backbone_queue_messages",
  "mayfly_backbone_queue_bytes",
] as const;

export interface Verdict {
  readonly honestMessages: number;
  readonly honestWaitMillis: number;
  readonly grownBytes: number;
}

export class HostileHouse {
  readonly bridge = new BridgeProcess();
  #fleet: Fleet | undefined;
  #honest: HonestDevice | undefined;
  #devices: readonly FleetDevice[] = [];
  #ca = "";
  #baseBytes = 0;
  #baseSockets = 0;
  #peakBytes = 0;
  #watch: NodeJS.Timeout | undefined;

  get fleet(): Fleet {
    assert.ok(this.#fleet);
    return this.#fleet;
  }

  /** Devices to attack with; the honest one is none of them. */
  get devices(): readonly FleetDevice[] {
    return this.#devices;
  }

  get ca(): string {
    return this.#ca;
  }

  get httpPort(): number {
    return Number(new URL(this.bridge.endpoints.deviceHttps).port);
  }

  /** Starts the bridge with that many devices in a strict registry, and the witnesses. */
  async open(devices: number): Promise<void> {
    await this.bridge.start();
    await this.bridge.createRegistry();
    this.#ca = readFileSync(this.bridge.endpoints.ca, "utf8");
    this.#fleet = new Fleet(this.bridge);
    this.#baseSockets = this.#sockets();
    const [honest, ...others] = await this.#fleet.register(devices + 1);
    assert.ok(honest);
    this.#devices = others;
    this.#honest = await HonestDevice.connect(await this.dial(), honest);
    this.#baseBytes = this.#residentBytes();
    this.#watch = setInterval(() => {
      this.#peakBytes = Math.max(this.#peakBytes, this.#residentBytes());
    }, watchEveryMillis);
  }

  /** A TLS connection that sends nothing yet. */
  async dial(options: { readonly from?: string; readonly port?: number } = {}): Promise<TLSSocket> {
    const { from, port = this.bridge.port } = options;
    const socket = connectTls({
      ...{ host: "127.0.0.1", port, ca: this.#ca, servername: "localhost" },
      ...(from === undefined ? {} : { localAddress: from }),
    });
    // What comes of a broken connection is read from its end.
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    return socket;
  }

  /** Ends the honest device. @returns what it and the process went through; throws where that was too much. */
  async verdict(): Promise<Verdict> {
    assert.ok(this.#honest);
    const honest = await this.#honest.leave();
    clearInterval(this.#watch);
    const grownBytes = Math.max(this.#peakBytes, this.#residentBytes()) - this.#baseBytes;
    const verdict: Verdict = { ...honest, grownBytes };
    assert.ok(
      verdict.honestWaitMillis <= honestWaitMillisMax,
      `the honest device waited: ${JSON.stringify(verdict)}`,
    );
    assert.ok(grownBytes <= grownBytesMax, `the process grew: ${JSON.stringify(verdict)}`);
    await this.#everybodyGone();
    this.fleet.close();
    await this.#socketsGone();
    return verdict;
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    this.#honest?.drop();
    this.#fleet?.close();
    await this.bridge.end();
  }

  async #everybodyGone(): Promise<void> {
    const until = performance.now() + idleWithinMillis;
    for (;;) {
      const gauges = await this.fleet.gauges();
      const left = peerGauges
        .filter((name) => gauges.get(name) !== 0)
        .map((name) => `${name} ${gauges.get(name)}`);
      if (left.length === 0) return;
      if (performance.now() > until) assert.fail(`something of the attackers is left: ${left.join(", ")}`);
    }
  }

  /** What TLS or HTTP still hold is in no gauge, yet the process has it open. */
  async #socketsGone(): Promise<void> {
    const until = performance.now() + idleWithinMillis;
    while (this.#sockets() > this.#baseSockets) {
      assert.ok(performance.now() < until, `${this.#sockets()} sockets, and ${this.#baseSockets} at first`);
      await pause(100);
    }
  }

  #sockets(): number {
    const folder = `/proc/${this.bridge.endpoints.pid}/fd`;
    return readdirSync(folder).filter((name) => linkOf(`${folder}/${name}`).startsWith("socket:")).length;
  }

  /** Resident memory of the process that was started; no other process has taken its place. */
  #residentBytes(): number {
    const status = readFileSync(`/proc/${this.bridge.endpoints.pid}/status`, "utf8");
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
    assert.ok(kibibytes, "the process of the bridge is gone");
    return Number(kibibytes) * 1024;
  }
}

/** A descriptor may be closed while it is looked at. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** A right token of an hour. */
export function goodToken(device: FleetDevice): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(device, { iat: now - 5, exp: now + 3_600 });
}

/** Publishes at QoS 1 for as long as the attack lasts. */
class HonestDevice {
  readonly #connection: RawConnection;
  readonly #device: FleetDevice;
  readonly #waiting = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #acknowledged = 0;
  #waitMillisMax = 0;
  #failure: unknown;

  private constructor(connection: RawConnection, device: FleetDevice) {
    this.#connection = connection;
    this.#device = device;
    this.#timer = setInterval(() => this.#publish(), publishEveryMillis);
  }

  static async connect(socket: TLSSocket, device: FleetDevice): Promise<HonestDevice> {
    const connection = new RawConnection(socket);
    const { clientIdentifier } = device;
    const order = { version: 5, clientIdentifier, token: goodToken(device) } as const;
    const connack = await connection.ask(connectPacket(order), packetType.connack);
    assert.equal(connack[1], 0);
    return new HonestDevice(connection, device);
  }

  /** Waits for the last PUBACK and goes. */
  async leave(): Promise<Omit<Verdict, "grownBytes">> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
    if (this.#failure !== undefined) throw this.#failure;
    assert.equal(this.#acknowledged, this.#sent);
    assert.ok(this.#sent > 0);
    this.drop();
    return { honestMessages: this.#sent, honestWaitMillis: Math.round(this.#waitMillisMax) };
  }

  drop(): void {
    clearInterval(this.#timer);
    this.#connection.destroy();
  }

  #publish(): void {
    this.#sent += 1;
    const packetIdentifier = this.#sent;
    const sentMillis = performance.now();
    const message = publishPacket(5, {
      topicName: `/devices/${this.#device.id}/events`,
      packetIdentifier,
      payload: `honest ${packetIdentifier}`,
      isDuplicate: false,
    });
    const answered = this.#connection.ask(message, packetType.puback).then((body) => {
      assert.equal(body.readUInt16BE(0), packetIdentifier);
      this.#acknowledged += 1;
      this.#waitMillisMax = Math.max(this.#waitMillisMax, performance.now() - sentMillis);
    });
    const waited = answered
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#waiting.delete(waited));
    this.#waiting.add(waited);
  }
}

const names: readonly string[] = [
  ...["reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP"],
  ...["SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"],
];

/** A packet of the bridge's in words: its name, then its Reason Codes, or the Packet Identifier it acknowledges. */
export function inWords({ type, body }: Received, version: 4 | 5): string {
  const name = names[type] ?? "";
  const codes = (from: number) =>
    [...body.subarray(from)].map((code) => `0x${code.toString(16).padStart(2, "0")}`);
  switch (type) {
    case packetType.connack:
      return `${name} ${codes(1)[0]}`;
    case packetType.puback:
      return `${name} ${body.readUInt16BE(0)}`;
    case packetType.suback:
    case packetType.unsuback:
      // The properties of ours have less than 128 bytes.
      return [name, ...codes(version === 5 ? 3 + (body[2] ?? 0) : 2)].join(" ");
    case packetType.disconnect:
      return `${name} ${codes(0)[0] ?? "0x00"}`;
    default:
      return name;
  }
}

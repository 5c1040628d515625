/**
 * One device of the renewal benchmark: it renews its session in each of the ways there are, and counts the bytes of
 * each on its TCP sockets, below TLS.
 *
 * Nothing is made inside a measured span but sockets: tokens and packets are given. A renewal is over when the new
 * right is confirmed and the old connection, where there was one, is gone.
 */
import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { disconnectPacket, packetType, pingreqPacket, RawConnection } from "../test/process/raw-mqtt.ts";

export type TlsVersion = "TLSv1.2" | "TLSv1.3";

export interface Endpoint {
  readonly port: number;
  readonly ca: string;
}

interface OpenConnection {
  readonly raw: RawConnection;
  readonly tcp: Socket;
}

export class RenewalClient {
  readonly #endpoint: Endpoint;
  readonly #version: TlsVersion;
  #open: OpenConnection | undefined;
  /** The newest TLS session the bridge gave. */
  #tlsSession: Buffer | undefined;
  /** Bytes of sockets that are gone. */
  #bytesBefore = 0;

  constructor(endpoint: Endpoint, version: TlsVersion) {
    this.#endpoint = endpoint;
    this.#version = version;
  }

  /** Bytes that went over this device's TCP connections so far, both ways. */
  get bytes(): number {
    return this.#bytesBefore + (this.#open === undefined ? 0 : bytesOf(this.#open.tcp));
  }

  /** The first connection. */
  async open(connect: Buffer): Promise<void> {
    this.#open = await this.#connect(connect, { isResumed: false });
  }

  /** AUTH, on the connection there is. */
  async reauthenticate(auth: Buffer): Promise<void> {
    const answer = await this.#current().raw.ask(auth, packetType.auth);
    // A remaining length of 0 says success (5.0 §3.15.2.1).
    assert.equal(answer[0] ?? 0, 0);
  }

  /** PINGREQ, and its answer. */
  async ping(): Promise<void> {
    await this.#current().raw.ask(pingreqPacket, packetType.pingresp);
  }

  /** A new connection, by which the bridge ends the old one. */
  async reconnect(connect: Buffer, tls: { readonly isResumed: boolean }): Promise<void> {
    const before = this.#current();
    this.#open = await this.#connect(connect, tls);
    await this.#leave(before);
  }

  /** A new connection that goes on with the Session; then the old one is left with a DISCONNECT. */
  async handOver(connect: Buffer, tls: { readonly isResumed: boolean }): Promise<void> {
    const before = this.#current();
    this.#open = await this.#connect(connect, tls, { sessionPresent: true });
    before.raw.send(disconnectPacket);
    await this.#leave(before);
  }

  close(): void {
    this.#open?.raw.destroy();
  }

  async #connect(
    packet: Buffer,
    tls: { readonly isResumed: boolean },
    expected: { readonly sessionPresent: boolean } = { sessionPresent: false },
  ): Promise<OpenConnection> {
    const tcp = connectTcp({ host: "127.0.0.1", port: this.#endpoint.port, noDelay: true });
    const session = tls.isResumed ? this.#tlsSession : undefined;
    const socket = connectTls({
      socket: tcp,
      servername: "localhost",
      ca: this.#endpoint.ca,
      minVersion: this.#version,
      maxVersion: this.#version,
      ecdhCurve: "X25519:prime256v1",
      ...(session === undefined ? {} : { session }),
    });
    socket.on("session", (given) => {
      this.#tlsSession = given;
    });
    const raw = new RawConnection(socket);
    const connack = await raw.ask(packet, packetType.connack);
    assert.deepEqual([...connack.subarray(0, 2)], [Number(expected.sessionPresent), 0]);
    assert.equal(socket.isSessionReused(), tls.isResumed);
    return { raw, tcp };
  }

  async #leave(before: OpenConnection): Promise<void> {
    await before.raw.cut;
    this.#bytesBefore += bytesOf(before.tcp);
  }

  #current(): OpenConnection {
    if (this.#open === undefined) throw new Error("the client is not connected");
    return this.#open;
  }
}

function bytesOf({ bytesRead, bytesWritten }: Socket): number {
  return bytesRead + bytesWritten;
}

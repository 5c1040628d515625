/**
 * Decodes what a server sends: bytes in any chunking, packets out.
 *
 * CONNACK must come first and once; in MQTT 5 only AUTH may come before it [MQTT-3.2.0-1, -2]. After an error
 * the decoder is finished: it keeps no bytes and throws the same error again.
 */

import { decodeAcknowledgement } from "./acknowledgement.decode.ts";
import { decodeAuth } from "./auth.decode.ts";
import { decodeConnack } from "./connack.decode.ts";
import { decodeDisconnect } from "./disconnect.decode.ts";
import { MqttError } from "./error.ts";
import { PacketFramer } from "./packet-framer.ts";
import { type PacketTypeSet, packetType } from "./packet-type.ts";
import type { ProtocolVersion, ServerPacket } from "./packets.ts";
import { decodePublish, type TopicMemory } from "./publish.decode.ts";
import { decodeSuback } from "./suback.decode.ts";
import { decodeUnsuback } from "./unsuback.decode.ts";
import type { WireReader } from "./wire-reader.ts";

const sessionTypes: PacketTypeSet =
  (1 << packetType.publish) |
  (1 << packetType.puback) |
  (1 << packetType.pubrec) |
  (1 << packetType.pubrel) |
  (1 << packetType.pubcomp) |
  (1 << packetType.suback) |
  (1 << packetType.unsuback) |
  (1 << packetType.pingresp);
const sessionTypes5: PacketTypeSet = sessionTypes | (1 << packetType.disconnect) | (1 << packetType.auth);

export class ClientDecoder {
  readonly #framer: PacketFramer;
  readonly #version: ProtocolVersion;
  #accepted: PacketTypeSet;
  readonly #topicMemory: TopicMemory = { topic: "" };
  #failure: MqttError | undefined;

  /**
   * @param limits `protocolVersion`: that of our CONNECT. `maximumPacketSize`: bytes of a whole packet, fixed
   *   header included, 1 to 268,435,460.
   */
  constructor(limits: { readonly protocolVersion: ProtocolVersion; readonly maximumPacketSize: number }) {
    this.#version = limits.protocolVersion;
    this.#framer = new PacketFramer(limits.maximumPacketSize);
    const connack = 1 << packetType.connack;
    this.#accepted = limits.protocolVersion === 5 ? connack | (1 << packetType.auth) : connack;
  }

  /** That of our CONNECT. */
  get protocolVersion(): ProtocolVersion {
    return this.#version;
  }

  /** Bytes held for packets not given out yet; below `maximumPacketSize` once {@link next} returned undefined. */
  get bufferedBytes(): number {
    return this.#framer.bufferedBytes;
  }

  /**
   * Gives received bytes. The array is read in place until {@link next} returned undefined, so it must not
   * change before that; what is left over then has been copied. Best called when `next` is exhausted:
   * otherwise unread bytes are joined, and bounded (`backlog_exceeded`).
   *
   * @throws {MqttError}
   */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      this.#framer.push(chunk);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /**
   * The next whole packet, or undefined until more bytes come.
   *
   * A PUBLISH's payload, and Authentication Data, are views into the received bytes, valid until the next
   * call: copy what you keep. All else is its own.
   *
   * @throws {MqttError} and the same again on each later call.
   */
  next(): ServerPacket | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const reader = this.#framer.advance(this.#accepted);
      return reader === undefined ? undefined : this.#decode(reader, this.#framer.firstByte);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #decode(reader: WireReader, firstByte: number): ServerPacket {
    const version = this.#version;
    switch (firstByte >> 4) {
      case packetType.connack: {
        const packet = decodeConnack(reader, version);
        this.#accepted = version === 5 ? sessionTypes5 : sessionTypes;
        return packet;
      }
      case packetType.publish:
        return decodePublish(reader, firstByte, version, this.#topicMemory);
      case packetType.puback:
        return decodeAcknowledgement(reader, "puback", version);
      case packetType.pubrec:
        return decodeAcknowledgement(reader, "pubrec", version);
      case packetType.pubrel:
        return decodeAcknowledgement(reader, "pubrel", version);
      case packetType.pubcomp:
        return decodeAcknowledgement(reader, "pubcomp", version);
      case packetType.suback:
        return decodeSuback(reader, version);
      case packetType.unsuback:
        return decodeUnsuback(reader, version);
      case packetType.pingresp:
        reader.finish();
        return { type: "pingresp" };
      case packetType.disconnect:
        return decodeDisconnect(reader, "disconnectFromServer", version);
      default:
        return decodeAuth(reader, "authFromServer");
    }
  }

  /** Remembers a refusal; a bug goes on as it is. */
  #fail(error: unknown): unknown {
    this.#framer.clear();
    if (error instanceof MqttError) this.#failure = error;
    return error;
  }
}

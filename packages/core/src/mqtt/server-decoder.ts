/**
 * Decodes what a client sends: bytes in any chunking, packets out.
 *
 * The version is learnt from CONNECT, which must come first and once [MQTT-3.1.0-1, -2]. After an error the
 * decoder is finished: it keeps no bytes and throws the same error again.
 */

import { decodeAcknowledgement } from "./acknowledgement.decode.ts";
import { decodeAuth } from "./auth.decode.ts";
import { decodeConnect, decodeProtocolVersion } from "./connect.decode.ts";
import { decodeDisconnect } from "./disconnect.decode.ts";
import { MqttError, protocolError } from "./error.ts";
import { PacketFramer } from "./packet-framer.ts";
import { type PacketTypeSet, packetType } from "./packet-type.ts";
import type { ClientPacket, ProtocolVersion } from "./packets.ts";
import { decodePublish, type TopicMemory } from "./publish.decode.ts";
import { decodeSubscribe } from "./subscribe.decode.ts";
import { decodeUnsubscribe } from "./unsubscribe.decode.ts";
import type { WireReader } from "./wire-reader.ts";

const connectOnly: PacketTypeSet = 1 << packetType.connect;
const sessionTypes: PacketTypeSet =
  (1 << packetType.publish) |
  (1 << packetType.puback) |
  (1 << packetType.pubrec) |
  (1 << packetType.pubrel) |
  (1 << packetType.pubcomp) |
  (1 << packetType.subscribe) |
  (1 << packetType.unsubscribe) |
  (1 << packetType.pingreq) |
  (1 << packetType.disconnect);
const sessionTypes5: PacketTypeSet = sessionTypes | (1 << packetType.auth);

export class ServerDecoder {
  readonly #framer: PacketFramer;
  #accepted = connectOnly;
  #version: ProtocolVersion | undefined;
  readonly #topicMemory: TopicMemory = { topic: "" };
  #failure: MqttError | undefined;

  /** @param limits `maximumPacketSize`: bytes of a whole packet, fixed header included, 1 to 268,435,460. */
  constructor(limits: { readonly maximumPacketSize: number }) {
    this.#framer = new PacketFramer(limits.maximumPacketSize);
  }

  /** Known once the protocol level of a CONNECT was read, also where the rest of it was refused. */
  get protocolVersion(): ProtocolVersion | undefined {
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
   * A PUBLISH's payload, and the Password or Authentication Data of a packet, are views into the received
   * bytes, valid until the next call: copy what you keep. All else (a Will's payload too) is its own.
   *
   * @throws {MqttError} and the same again on each later call.
   */
  next(): ClientPacket | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const reader = this.#framer.advance(this.#accepted);
      return reader === undefined ? undefined : this.#decode(reader, this.#framer.firstByte);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #decode(reader: WireReader, firstByte: number): ClientPacket {
    const version = this.#version;
    if (version === undefined) {
      const requested = decodeProtocolVersion(reader);
      this.#version = requested;
      this.#accepted = requested === 5 ? sessionTypes5 : sessionTypes;
      return decodeConnect(reader, requested);
    }
    switch (firstByte >> 4) {
      case packetType.publish: {
        const packet = decodePublish(reader, firstByte, version, this.#topicMemory);
        if (packet.properties?.subscriptionIdentifiers !== undefined) {
          throw protocolError("a Subscription Identifier in a client's PUBLISH"); // MQTT-3.3.4-6
        }
        return packet;
      }
      case packetType.puback:
        return decodeAcknowledgement(reader, "puback", version);
      case packetType.pubrec:
        return decodeAcknowledgement(reader, "pubrec", version);
      case packetType.pubrel:
        return decodeAcknowledgement(reader, "pubrel", version);
      case packetType.pubcomp:
        return decodeAcknowledgement(reader, "pubcomp", version);
      case packetType.subscribe:
        return decodeSubscribe(reader, version);
      case packetType.unsubscribe:
        return decodeUnsubscribe(reader, version);
      case packetType.pingreq:
        reader.finish();
        return { type: "pingreq" };
      case packetType.disconnect:
        return decodeDisconnect(reader, "disconnectFromClient", version);
      default:
        return decodeAuth(reader, "authFromClient");
    }
  }

  /** Remembers a refusal; a bug goes on as it is. */
  #fail(error: unknown): unknown {
    this.#framer.clear();
    if (error instanceof MqttError) this.#failure = error;
    return error;
  }
}

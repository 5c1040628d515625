/**
 * What a gateway hears of its devices' errors: JSON on `/devices/GATEWAY/errors`, QoS 0 (cloud-iot-core.md §6).
 *
 * It is the only answer 3.1.1 has for one message or one device of many. So many a second are told; what comes
 * before the gateway subscribes, or beyond the rate, is counted and gone.
 */
import { errorsTopic, utf8Encode } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-server";
import { Allowance } from "./allowance.ts";
import { gatewayErrorsAtOnceMax, gatewayErrorsPerSecond, topicQuotedMax } from "./limits.ts";
import type { BridgeObserver } from "./observer.ts";

/** Cloud IoT Core's names; those it had beside them have no cause here. */
export type GatewayErrorType =
  | "GATEWAY_ATTACHMENT_ERROR"
  | "GATEWAY_DEVICE_NOT_FOUND"
  | "GATEWAY_DETACHMENT_DEVICE_ERROR"
  | "GATEWAY_INVALID_MQTT_TOPIC"
  | "UNKNOWN";

export interface GatewayError {
  readonly type: GatewayErrorType;
  readonly description: string;
  /** As the gateway called the device. */
  readonly device: string;
  /** The packet that was in error. */
  readonly packet?: ErrantPacket;
}

export interface ErrantPacket {
  readonly type: "PUBLISH" | "SUBSCRIBE";
  readonly topic: string;
  readonly packetIdentifier: number | undefined;
}

export interface GatewayErrorsOwner {
  readonly deviceInTopics: string;
  readonly version: ProtocolVersion;
  readonly clientPacketBytesMax: number;
  readonly isOutgoingFull: boolean;
  queue(bytes: Uint8Array): void;
}

export class GatewayErrors {
  isSubscribed = false;
  readonly #owner: GatewayErrorsOwner;
  readonly #observer: Pick<BridgeObserver, "gatewayError">;
  readonly #allowance = new Allowance(gatewayErrorsAtOnceMax, gatewayErrorsPerSecond);

  constructor(owner: GatewayErrorsOwner, observer: Pick<BridgeObserver, "gatewayError">) {
    this.#owner = owner;
    this.#observer = observer;
  }

  /** @returns whether it left. */
  tell(error: GatewayError, nowMillis: number): boolean {
    const isTold = this.#send(error, nowMillis);
    this.#observer.gatewayError({ type: error.type, isTold });
    return isTold;
  }

  #send(error: GatewayError, nowMillis: number): boolean {
    const { deviceInTopics, version, clientPacketBytesMax, isOutgoingFull } = this.#owner;
    if (!this.isSubscribed || isOutgoingFull || !this.#allowance.take(nowMillis)) return false;
    const payload = utf8Encode(JSON.stringify(jsonOf(error)));
    const topic = errorsTopic(deviceInTopics);
    const bytes = encodePublish(
      { type: "publish", dup: false, qos: 0, retain: false, topic, payload },
      version,
    );
    if (bytes.length > clientPacketBytesMax) return false;
    this.#owner.queue(bytes);
    return true;
  }
}

function jsonOf({ type, description, device, packet }: GatewayError): object {
  return {
    error_type: type,
    description,
    device_id: device,
    ...(packet === undefined
      ? undefined
      : {
          mqtt_message_info: {
            message_type: packet.type,
            topic: packet.topic.slice(0, topicQuotedMax),
            ...(packet.packetIdentifier === undefined ? undefined : { packet_id: packet.packetIdentifier }),
          },
        }),
  };
}

/**
 * A config or a command as the PUBLISH that carries it, or nothing where this client takes no packet of that size
 * [MQTT-3.1.2-24].
 */
import { commandTopic, configTopic, configVersionProperty } from "@mayfly/core";
import type { Properties, ProtocolVersion } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-server";

/** Who is written to, and how. */
export interface DownlinkClient {
  /** As the client calls the device in topics: string id or numId. */
  readonly deviceInTopics: string;
  readonly version: ProtocolVersion;
  /** The client's Maximum Packet Size; infinite where it named none. */
  readonly clientPacketBytesMax: number;
}

/** @param packetIdentifier undefined at QoS 0. */
export interface Sending {
  readonly payload: Uint8Array;
  readonly packetIdentifier: number | undefined;
  /** It may have been sent before (MQTT 5.0 §3.3.1.1). */
  readonly dup: boolean;
}

export function encodeCommand(
  client: DownlinkClient,
  subfolder: string,
  sending: Sending,
): Uint8Array | undefined {
  return encode(client, commandTopic(client.deviceInTopics, subfolder), sending);
}

/** A config says which version it is, where the client speaks 5.0 and takes a packet with that in it. */
export function encodeConfig(
  client: DownlinkClient,
  version: number,
  sending: Sending,
): Uint8Array | undefined {
  const topic = configTopic(client.deviceInTopics);
  if (client.version === 4) return encode(client, topic, sending);
  const userProperties = [[configVersionProperty, `${version}`]] as const;
  return encode(client, topic, sending, { userProperties }) ?? encode(client, topic, sending);
}

function encode(
  client: DownlinkClient,
  topic: string,
  { payload, packetIdentifier, dup }: Sending,
  properties?: Properties,
): Uint8Array | undefined {
  const bytes = encodePublish(
    {
      type: "publish",
      dup,
      qos: packetIdentifier === undefined ? 0 : 1,
      retain: false,
      topic,
      ...(packetIdentifier === undefined ? {} : { packetIdentifier }),
      payload,
      ...(properties === undefined ? {} : { properties }),
    },
    client.version,
  );
  return bytes.length > client.clientPacketBytesMax ? undefined : bytes;
}

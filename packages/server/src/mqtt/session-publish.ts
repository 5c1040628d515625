/**
 * What becomes of a PUBLISH: a message for the uplink, an errand of the gateway's attachments, or the end.
 *
 * What a device of its own does wrong ends its connection. What an attached one does wrong is its own affair: it is
 * told through the gateway, whose connection goes on (`attachments.ts`).
 *
 * Left to others: what a Topic Name means (`publish-topics.ts`), and acknowledging (`uplink.ts`).
 */
import { type TopicUser, utf8Length } from "@mayfly/core";
import type { ProtocolVersion, PublishPacket } from "@mayfly/core/mqtt";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import { eventBytesMax, stateBytesMax } from "../telemetry/intake.ts";
import type { Attachments } from "./attachments.ts";
import type { CloseReason } from "./close-reason.ts";
import { messageIdBytesMax } from "./limits.ts";
import { type ForOther, PublishTopics } from "./publish-topics.ts";
import type { Uplink } from "./uplink.ts";

/** Where it takes what a PUBLISH holds. */
export interface SessionPublishPorts {
  readonly uplink: Pick<Uplink, "take">;
  readonly rates: DeviceRates;
  /** Of a gateway. */
  readonly attachments: Pick<Attachments, "find" | "publish" | "refuse"> | undefined;
}

/** What it asks of its session. */
export interface SessionPublishOwner {
  readonly version: ProtocolVersion;
  readonly principal: DevicePrincipal;
  end(because: CloseReason): void;
}

export class SessionPublish {
  readonly #ports: SessionPublishPorts;
  readonly #owner: SessionPublishOwner;
  #topics: PublishTopics;

  constructor(ports: SessionPublishPorts, owner: SessionPublishOwner, user: TopicUser) {
    this.#ports = ports;
    this.#owner = owner;
    this.#topics = new PublishTopics(user);
  }

  /** The session's right is another: what its topics meant is asked anew. */
  changeUser(user: TopicUser): void {
    this.#topics = this.#topics.forUser(user);
  }

  take(packet: PublishPacket): void {
    const { uplink, rates, attachments } = this.#ports;
    if (packet.qos === 2) {
      this.#owner.end("qos_not_supported");
      return;
    }
    // 5.0 §3.2.2.3.5. A 3.1.1 client cannot know that nothing is retained; its message is not to be lost for a flag.
    if (packet.retain && this.#owner.version === 5) {
      this.#owner.end("retain_not_supported");
      return;
    }
    const meaning = this.#topics.meaningOf(packet);
    if (meaning.kind === "refused") {
      this.#owner.end(meaning.because);
      return;
    }
    const sender = "device" in meaning ? attachments?.find(meaning.device) : undefined;
    if ("device" in meaning && (sender === undefined || !isMessage(meaning))) {
      attachments?.publish(packet, meaning);
      return;
    }
    const message = {
      kind: meaning.kind,
      subfolder: meaning.subfolder,
      packetIdentifier: packet.packetIdentifier,
      payload: packet.payload,
      deviceMessageId: packet.properties === undefined ? undefined : messageIdOf(packet),
      ...(sender === undefined ? undefined : { sender }),
    };
    const bytesMax = meaning.kind === "state" ? stateBytesMax : eventBytesMax;
    if (packet.payload.length > bytesMax) {
      if (sender === undefined) this.#owner.end("packet_too_large");
      else attachments?.refuse(sender, "payload_too_large", message);
      return;
    }
    if (meaning.kind === "state" && rates.takeState(sender?.principal ?? this.#owner.principal) > 0) {
      if (sender === undefined) this.#owner.end("state_rate_exceeded");
      else attachments?.refuse(sender, "rate_exceeded", message);
      return;
    }
    if (sender !== undefined && packet.qos === 1) {
      const waitMillis = rates.takeMessage(sender.principal, packet.payload.length);
      if (waitMillis > 0) {
        attachments?.refuse(sender, "rate_exceeded", message);
        return;
      }
    }
    uplink.take(message);
  }
}

function isMessage(meaning: ForOther): meaning is Extract<ForOther, { kind: "events" | "state" }> {
  return meaning.kind === "events" || meaning.kind === "state";
}

function messageIdOf(packet: PublishPacket): string | undefined {
  const id = packet.properties?.userProperties?.find(([name]) => name === "id")?.[1];
  return id === undefined || id === "" || utf8Length(id) > messageIdBytesMax ? undefined : id;
}

/**
 * From the Topic Name of a PUBLISH to what it means for this device, Topic Aliases included.
 *
 * A device sends the same few topics all day, so the last one is remembered with its meaning. Aliases belong
 * to the connection (MQTT 5.0 §3.3.2.3.4), at most 16.
 */
import { findPublishTopic, findTopicDevice, mayPublish, type TopicUser } from "@mayfly/core";
import type { PublishPacket } from "@mayfly/core/mqtt";
import type { CloseReason } from "./close-reason.ts";
import { topicAliasMaximum } from "./limits.ts";

export type PublishMeaning =
  | { readonly kind: "events"; readonly subfolder: string }
  | { readonly kind: "state"; readonly subfolder: "" }
  | ForOther
  | { readonly kind: "refused"; readonly because: CloseReason };

/** A gateway's PUBLISH for another device, which may be attached or not; `device` as the topic names it. */
export type ForOther =
  | { readonly kind: "events"; readonly subfolder: string; readonly device: string }
  | { readonly kind: "state"; readonly subfolder: ""; readonly device: string }
  | { readonly kind: "attach" | "detach" | "no_topic"; readonly device: string };

const state = { kind: "state", subfolder: "" } as const;
const unknownTopic = { kind: "refused", because: "topic_name_invalid" } as const;
const foreignTopic = { kind: "refused", because: "topic_not_own" } as const;
const badAlias = { kind: "refused", because: "topic_alias_invalid" } as const;
const unsetAlias = { kind: "refused", because: "protocol_error" } as const;

export class PublishTopics {
  readonly #user: TopicUser;
  #lastTopic = "";
  #lastMeaning: PublishMeaning = unknownTopic;
  #aliases: Map<number, string> | undefined;

  /** @param aliases of the connection so far. */
  constructor(user: TopicUser, aliases?: Map<number, string>) {
    this.#user = user;
    this.#aliases = aliases;
  }

  /** The connection's aliases with another judge: what a topic meant before is asked anew. */
  forUser(user: TopicUser): PublishTopics {
    return new PublishTopics(user, this.#aliases);
  }

  meaningOf(packet: PublishPacket): PublishMeaning {
    const alias = packet.properties?.topicAlias;
    if (alias === undefined) return this.#meaningOfTopic(packet.topic);
    if (alias < 1 || alias > topicAliasMaximum) return badAlias;
    if (packet.topic !== "") {
      this.#aliases ??= new Map();
      this.#aliases.set(alias, packet.topic);
      return this.#meaningOfTopic(packet.topic);
    }
    const topic = this.#aliases?.get(alias);
    return topic === undefined ? unsetAlias : this.#meaningOfTopic(topic);
  }

  #meaningOfTopic(topic: string): PublishMeaning {
    if (topic !== this.#lastTopic) {
      this.#lastMeaning = this.#judge(topic);
      this.#lastTopic = topic;
    }
    return this.#lastMeaning;
  }

  #judge(topicName: string): PublishMeaning {
    const topic = findPublishTopic(topicName);
    if (this.#user.isGateway) {
      const device = findTopicDevice(topicName);
      if (device !== undefined && !this.#user.names.includes(device)) {
        if (topic === undefined) return { kind: "no_topic", device };
        return topic.kind === "state" ? { ...state, device } : topic;
      }
    }
    if (topic === undefined) return unknownTopic;
    if (!mayPublish(topic, this.#user)) return foreignTopic;
    if (topic.kind === "events") return { kind: "events", subfolder: topic.subfolder };
    return topic.kind === "state" ? state : foreignTopic;
  }
}

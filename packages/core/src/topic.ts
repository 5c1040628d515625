/**
 * Topics: which Topic Names and Topic Filters exist, and who may use them.
 *
 * The list is closed, as in Cloud IoT Core: a device publishes to `events` (and subfolders) and `state`,
 * a gateway to `attach` and `detach` as well; one subscribes to `config`, `commands/#` and (a gateway)
 * `errors`. All begin with `/devices/ID/`, where ID is the string id or numId of the device meant, which
 * for a gateway may be one attached to it.
 *
 * A device id with `+` is legal but cannot appear in a Topic Name (MQTT 5.0 §4.7.1): such a device is called
 * by its numId there.
 *
 * Left to others: what a wrong topic costs the sender (the bridge), and where events end.
 */
import { utf8Length } from "./bytes.ts";
import { isDeviceNumId, isIdWord, parseDeviceId } from "./id.ts";

export type TopicErrorCode = "topic_malformed";

/** A topic was to be made of parts that cannot form one. */
export class TopicError extends Error {
  override readonly name = "TopicError";
  readonly code: TopicErrorCode = "topic_malformed";
}

/** What a Topic Name that may be published to means. `subfolder` is empty for plain `events`. */
export type PublishTopic =
  | { readonly kind: "events"; readonly device: string; readonly subfolder: string }
  | { readonly kind: "state"; readonly device: string }
  | { readonly kind: "attach" | "detach"; readonly device: string };

/** What a Topic Filter that may be subscribed with means; `commands` is exactly `commands/#`. */
export type SubscribeFilter = { readonly kind: "config" | "commands" | "errors"; readonly device: string };

/** Longest subfolder, of events and of commands. */
export const subfolderBytesMax = 256;
/** Longest Topic Name or Topic Filter (MQTT 5.0 §1.5.4). */
export const topicBytesMax = 65_535;

const prefix = "/devices/";

/** @returns What is published there, or `undefined` where no such Topic Name exists. */
export function findPublishTopic(topicName: string): PublishTopic | undefined {
  const cut = cutDevice(topicName);
  if (cut === undefined || cut.device.includes("+")) return undefined;
  const { device, rest } = cut;
  switch (rest) {
    case "events":
      return { kind: "events", device, subfolder: "" };
    case "state":
    case "attach":
    case "detach":
      return { kind: rest, device };
  }
  if (!rest.startsWith("events/")) return undefined;
  const subfolder = rest.slice("events/".length);
  if (!isEventSubfolder(subfolder) || subfolder.includes("+")) return undefined;
  return { kind: "events", device, subfolder };
}

/** @returns What the subscription is for, or `undefined` where no such Topic Filter exists. */
export function findSubscribeFilter(topicFilter: string): SubscribeFilter | undefined {
  const cut = cutDevice(topicFilter);
  if (cut === undefined || cut.device.includes("+")) return undefined;
  const { device, rest } = cut;
  switch (rest) {
    case "config":
    case "errors":
      return { kind: rest, device };
    case "commands/#":
      return { kind: "commands", device };
  }
  return undefined;
}

/** Whom a topic is about, be there such a topic or not. */
export function findTopicDevice(topic: string): string | undefined {
  return cutDevice(topic)?.device;
}

function cutDevice(topic: string): { readonly device: string; readonly rest: string } | undefined {
  if (!topic.startsWith(prefix)) return undefined;
  const end = topic.indexOf("/", prefix.length);
  if (end < 0) return undefined;
  const device = topic.slice(prefix.length, end);
  return isDevice(device) ? { device, rest: topic.slice(end + 1) } : undefined;
}

function isDevice(text: string): boolean {
  if (isDeviceNumId(text)) return true;
  try {
    parseDeviceId(text);
    return true;
  } catch {
    return false;
  }
}

/** Who wants to use a topic: an authenticated device, and for a gateway those attached to it. */
export interface TopicUser {
  /** The texts that mean the device itself: string id and numId. */
  readonly names: readonly string[];
  readonly isGateway: boolean;
  /** Is the device with this string id or numId attached to this gateway now? */
  isAttached(device: string): boolean;
}

/** May this device publish there? `attach` and `detach` are a gateway's, and for others than itself. */
export function mayPublish(topic: PublishTopic, user: TopicUser): boolean {
  if (topic.kind === "attach" || topic.kind === "detach") {
    return user.isGateway && !user.names.includes(topic.device);
  }
  return user.names.includes(topic.device) || (user.isGateway && user.isAttached(topic.device));
}

/** May this device subscribe with that? `errors` is a gateway's own. */
export function maySubscribe(filter: SubscribeFilter, user: TopicUser): boolean {
  const isOwn = user.names.includes(filter.device);
  if (filter.kind === "errors") return user.isGateway && isOwn;
  return isOwn || (user.isGateway && user.isAttached(filter.device));
}

/** @param subfolder As in {@link isEventSubfolder}; empty for none. @throws {TopicError} */
export function eventsTopic(device: string, subfolder = ""): string {
  if (subfolder === "") return `${prefix}${device}/events`;
  if (!isEventSubfolder(subfolder) || subfolder.includes("+")) {
    throw new TopicError("this subfolder cannot be part of an events Topic Name");
  }
  return `${prefix}${device}/events/${subfolder}`;
}

export function stateTopic(device: string): string {
  return `${prefix}${device}/state`;
}

export function configTopic(device: string): string {
  return `${prefix}${device}/config`;
}

/**
 * MQTT 5 User Property of a config's PUBLISH: which version it is, in decimal digits. Left out where the client's
 * Maximum Packet Size has no room for it.
 */
export const configVersionProperty = "config-version";

export function errorsTopic(device: string): string {
  return `${prefix}${device}/errors`;
}

/** The one filter that receives commands. */
export function commandsFilter(device: string): string {
  return `${prefix}${device}/commands/#`;
}

/** @param subfolder As in {@link isCommandSubfolder}; empty for none. @throws {TopicError} */
export function commandTopic(device: string, subfolder = ""): string {
  if (subfolder === "") return `${prefix}${device}/commands`;
  if (!isCommandSubfolder(subfolder)) {
    throw new TopicError("this subfolder cannot be part of a commands Topic Name");
  }
  return `${prefix}${device}/commands/${subfolder}`;
}

/** Levels of `[a-zA-Z][-a-zA-Z0-9._+~%]+` joined by `/`, at most 256 bytes. */
export function isEventSubfolder(text: string): boolean {
  return text.length <= subfolderBytesMax && text.split("/").every(isIdWord);
}

/** 1 to 256 characters, several levels allowed, none of `+`, `#`, NUL. */
export function isCommandSubfolder(text: string): boolean {
  return text.length <= subfolderBytesMax && isTopicNameWellFormed(text);
}

/** MQTT 5.0 §4.7: 1 to 65,535 bytes of UTF-8, no NUL, no wildcard. */
export function isTopicNameWellFormed(text: string): boolean {
  return isTopicText(text) && !text.includes("+") && !text.includes("#");
}

/** MQTT 5.0 §4.7.1: `#` only as the whole last level, `+` only as a whole level. */
export function isTopicFilterWellFormed(text: string): boolean {
  if (!isTopicText(text)) return false;
  let start = 0;
  while (start <= text.length) {
    const slash = text.indexOf("/", start);
    const end = slash < 0 ? text.length : slash;
    const level = text.slice(start, end);
    if (level.includes("#") && (level !== "#" || slash >= 0)) return false;
    if (level.includes("+") && level !== "+") return false;
    start = end + 1;
  }
  return true;
}

function isTopicText(text: string): boolean {
  if (text.length === 0 || text.length > topicBytesMax) return false;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point === 0 || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return utf8Length(text) <= topicBytesMax;
}

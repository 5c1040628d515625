/** MQTT 5.0: what CONNACK announces, and what a client asks of us. */
import type { Sabotage } from "./table.ts";

const announcements = "packages/server/src/mqtt/mqtt5-announcements.test.ts";
const clientLimits = "packages/server/src/mqtt/mqtt5-client-limits.test.ts";

export const mqtt5Sabotages: readonly Sabotage[] = [
  {
    promise: "A 5.0 client that retains in spite of Retain Available 0 is told so.",
    deed: "ignore RETAIN of a 5.0 client",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "if (packet.retain && this.version === 5) {",
    replace: "if (packet.retain && this.version === undefined) {",
    test: announcements,
    name: "CONNACK announces retainAvailable 0",
  },
  {
    promise: "A 3.1.1 device that sets RETAIN loses no message by it.",
    deed: "treat RETAIN of a 3.1.1 client like that of a 5.0 client",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "if (packet.retain && this.version === 5) {",
    replace: "if (packet.retain) {",
    test: "packages/server/src/mqtt/uplink.test.ts",
    name: "RETAIN of a 3.1.1 client is ignored",
  },
  {
    promise: "A Shared Subscription, which CONNACK says there is not, gets its Reason Code.",
    deed: "let a Shared Subscription be a filter like any other",
    file: "packages/server/src/mqtt/subscriptions.ts",
    find: 'topicFilter.startsWith("$share/")',
    replace: 'topicFilter.startsWith("$shared/")',
    test: announcements,
    name: "CONNACK announces sharedSubscriptionAvailable 0",
  },
  {
    promise: "Of wildcards commands/# alone is granted; the others get their Reason Code.",
    deed: "call every wildcard an invalid filter",
    file: "packages/server/src/mqtt/subscriptions.ts",
    find: "/[#+]/.test(topicFilter) && isTopicFilterWellFormed(topicFilter)",
    replace: "/[#+]/.test(topicFilter) && !isTopicFilterWellFormed(topicFilter)",
    test: announcements,
    name: "Wildcard Subscription Available is 1 for commands/# alone",
  },
  {
    promise: "Topic Aliases of one connection stay within the number announced.",
    deed: "take every Topic Alias above 0",
    file: "packages/server/src/mqtt/publish-topics.ts",
    find: "if (alias < 1 || alias > topicAliasMaximum) return badAlias;",
    replace: "if (alias < 1) return badAlias;",
    test: announcements,
    name: "CONNACK announces topicAliasMaximum 16",
  },
  {
    promise: "A client never waits for a SUBACK that is too large for it: it is told why there is none.",
    deed: "send a SUBACK however large",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "const fits = bytes.length <= this.clientPacketBytesMax;",
    replace: "const fits = bytes.length >= 0;",
    test: clientLimits,
    name: "a SUBACK or UNSUBACK above the client's Maximum Packet Size",
  },
  {
    promise: "No packet leaves above the client's Maximum Packet Size, a refusal neither.",
    deed: "refuse with a CONNACK the client has no room for",
    file: "packages/server/src/mqtt/connection.ts",
    find: "if (answer !== undefined && answer.length <= this.#clientPacketBytesMax)",
    replace: "if (answer !== undefined)",
    test: clientLimits,
    name: "no packet is above the client's Maximum Packet Size",
  },
  {
    promise: "A kept command too large for its device takes no place in the Session for ever.",
    deed: "leave it in the store",
    file: "packages/server/src/mqtt/downlink.ts",
    find: '        this.#owner.kept?.removeCommand(packetIdentifier);\n        command.answer?.("too_large");',
    replace: '        command.answer?.("too_large");',
    test: clientLimits,
    name: "a kept command above the Maximum Packet Size of the connection is discarded",
  },
  {
    promise:
      "With Request Problem Information 0 only CONNACK and DISCONNECT carry more than their Reason Code.",
    deed: "tell a client that asked for silence in AUTH",
    file: "packages/server/src/mqtt/reauthentication.ts",
    find: "if (!this.#owner.wantsProblemInformation) return encodeAuth(bare);",
    replace: "",
    test: clientLimits,
    name: "with Request Problem Information 0 only CONNACK and DISCONNECT",
  },
  {
    promise: "MQTT 5's page leaves no property out of any packet, and no statement.",
    deed: "forget a property's packet",
    file: "docs/reference/mqtt.md",
    find: "| 0x1C Server Reference | DISCONNECT ↑ |",
    replace: "| Server Reference | DISCONNECT ↑ |",
    test: "packages/core/src/mqtt/reference-page.test.ts",
    name: "the page has a row for each property of table 2-4",
  },
];

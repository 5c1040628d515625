/**
 * Packets that no client should send once it is connected, with what each costs it.
 *
 * To 3.1.1 a bridge cannot say why it closes (§4.8); 5.0 is told by a DISCONNECT with the Reason Code of the
 * standard (§4.13.2). Rows that end `open` are harmless, and must stay so: nobody else may be able to close a
 * connection by provoking them.
 */
import {
  type Bytes,
  both,
  field,
  framed,
  illFormedTexts,
  lengthAnd,
  packet,
  type Row,
  raw,
} from "./hostile-bytes.ts";
import { noise } from "./hostile-connects.ts";

/** A Reason Code: DISCONNECT with it in 5.0, the bare end in 3.1.1. */
type Breach = readonly [what: string, bytes: Bytes, reasonCode: string];
type Seen = readonly [what: string, bytes: Bytes, answer: string];

const publish = (body: string) => packet("30", body);
const publish1 = (body: string) => packet("32", body);
const subscribe = (body: string) => packet("82", body);
const unsubscribe = (body: string) => packet("a2", body);
const foreign = "00 14 '/devices/none/events'";

function topicName(text: string): Bytes {
  return ({ version }) =>
    framed("30", Buffer.concat([field(text), ...(version === 5 ? [Buffer.of(0)] : [])]));
}

function topicFilter(text: string): Bytes {
  return ({ version }) => {
    const noProperties = version === 5 ? [Buffer.of(0)] : [];
    return framed("82", Buffer.concat([Buffer.of(0, 1), ...noProperties, field(text), Buffer.of(1)]));
  };
}

function payload(topic: "events" | "state", bytes: number): Bytes {
  return ({ version, id }) => {
    const noProperties = version === 5 ? [Buffer.of(0)] : [];
    return framed(
      "30",
      Buffer.concat([field(`/devices/${id}/${topic}`), ...noProperties, Buffer.alloc(bytes, "x")]),
    );
  };
}

function times(count: number, one: (index: number) => Bytes): Bytes {
  return both(...Array.from({ length: count }, (_, index) => one(index)));
}

function repeated(count: number, one: Bytes): Bytes {
  return (sender) => {
    const bytes = one(sender);
    return Buffer.alloc(count * bytes.length, bytes);
  };
}

const hex = (value: number) => value.toString(16).padStart(4, "0").replace(/^(..)/, "$1 ");

/** In both versions. */
const breaches: readonly Breach[] = [
  ...illFormedTexts.flatMap(([what, bytes]): Breach[] => [
    [`a Topic Name with ${what} [MQTT-3.3.2-1]`, publish(`${lengthAnd(bytes)} {p}`), "0x81"],
    [`a Topic Filter with ${what} [MQTT-3.8.3-1]`, subscribe(`00 01 {p} ${lengthAnd(bytes)} 01`), "0x81"],
    [`an UNSUBSCRIBE of ${what} [MQTT-3.10.3-1]`, unsubscribe(`00 01 {p} ${lengthAnd(bytes)}`), "0x81"],
  ]),
  // The fixed header (§2.1).
  ["packet type 0 (table 2-1)", raw("00 00"), "0x81"],
  ["a PUBACK with flags [MQTT-2.1.3-1]", raw("41 02 00 01"), "0x81"],
  ["a PUBREC with flags [MQTT-2.1.3-1]", raw("52 02 00 01"), "0x81"],
  ["a PUBREL without its flag [MQTT-3.6.1-1]", raw("60 02 00 01"), "0x81"],
  ["a PUBREL with one flag more [MQTT-3.6.1-1]", raw("63 02 00 01"), "0x81"],
  ["a PUBCOMP with flags [MQTT-2.1.3-1]", raw("78 02 00 01"), "0x81"],
  ["a SUBSCRIBE without its flag [MQTT-3.8.1-1]", packet("80", "00 01 {p} {config} 01"), "0x81"],
  ["a SUBSCRIBE with one flag more [MQTT-3.8.1-1]", packet("8a", "00 01 {p} {config} 01"), "0x81"],
  ["an UNSUBSCRIBE without its flag [MQTT-3.10.1-1]", packet("a0", "00 01 {p} {config}"), "0x81"],
  ["a PINGREQ with flags [MQTT-2.1.3-1]", raw("c1 00"), "0x81"],
  ["a DISCONNECT with flags [MQTT-3.14.1-1]", raw("e1 00"), "0x81"],
  ["a PUBLISH of QoS 3 [MQTT-3.3.1-4]", packet("36", "{events} 00 01 {p}"), "0x81"],
  ["a PUBLISH of QoS 3 with RETAIN [MQTT-3.3.1-4]", packet("37", "{events} 00 01 {p}"), "0x81"],
  ["a PUBLISH of QoS 3 with DUP [MQTT-3.3.1-4]", packet("3e", "{events} 00 01 {p}"), "0x81"],
  ["a PUBLISH of QoS 0 with DUP [MQTT-3.3.1-2]", packet("38", "{events} {p}"), "0x81"],
  // Remaining Length (§2.1.4, 3.1.1 §2.2.3).
  ["a Remaining Length of five bytes", raw("30 ff ff ff ff 01"), "0x81"],
  ["a Remaining Length of five bytes, all of them 0", raw("30 80 80 80 80 00"), "0x81"],
  ["a Remaining Length of two bytes for 0 [MQTT-1.5.5-1]", raw("c0 80 00"), "0x81"],
  ["a Remaining Length of three bytes for 0 [MQTT-1.5.5-1]", raw("c0 80 80 00"), "0x81"],
  ["a Remaining Length of four bytes for 0 [MQTT-1.5.5-1]", raw("c0 80 80 80 00"), "0x81"],
  ["a Remaining Length of two bytes for 2 [MQTT-1.5.5-1]", raw("40 82 00 00 01"), "0x81"],
  ["a PUBLISH of one byte more than the Maximum Packet Size [MQTT-3.1.2-24]", raw("30 fd ff 11"), "0x95"],
  ["a PUBLISH of the largest Remaining Length", raw("30 ff ff ff 7f"), "0x95"],
  ["a SUBSCRIBE of the largest Remaining Length", raw("82 ff ff ff 7f"), "0x95"],
  ["a PINGREQ with a body", raw("c0 01 00"), "0x81"],
  ["a PUBLISH of nothing", raw("30 00"), "0x81"],
  ["a PUBLISH of one byte", raw("30 01 00"), "0x81"],
  ["a PUBLISH whose Topic Name is longer than it", raw("30 04 ff ff 'ab'"), "0x81"],
  ["a PUBLISH that ends in its Packet Identifier", packet("32", "{events} 00"), "0x81"],
  ["a PUBLISH of QoS 1 without a Packet Identifier", packet("32", "{events}"), "0x81"],
  ["a PUBACK of nothing", raw("40 00"), "0x81"],
  ["a PUBACK of one byte", raw("40 01 00"), "0x81"],
  ["a SUBSCRIBE of nothing", raw("82 00"), "0x81"],
  ["a SUBSCRIBE of one byte", raw("82 01 00"), "0x81"],
  ["an UNSUBSCRIBE of nothing", raw("a2 00"), "0x81"],
  // Packet Identifiers (§2.2.1).
  ["a PUBLISH with Packet Identifier 0 [MQTT-2.2.1-3]", publish1("{events} 00 00 {p}"), "0x81"],
  ["a SUBSCRIBE with Packet Identifier 0 [MQTT-2.2.1-3]", subscribe("00 00 {p} {config} 01"), "0x81"],
  ["an UNSUBSCRIBE with Packet Identifier 0 [MQTT-2.2.1-3]", unsubscribe("00 00 {p} {config}"), "0x81"],
  ["a PUBACK with Packet Identifier 0 [MQTT-2.2.1-5]", raw("40 02 00 00"), "0x81"],
  ["a PUBREL with Packet Identifier 0", raw("62 02 00 00"), "0x81"],
  // What a PUBLISH may name and ask (§3.3).
  ["QoS 2 (compatibility.md: closed)", packet("34", "{events} 00 01 {p}"), "0x9b"],
  ["the Topic Name # [MQTT-3.3.2-2]", publish("00 01 '#' {p}"), "0x90"],
  ["the Topic Name + [MQTT-3.3.2-2]", publish("00 01 '+' {p}"), "0x90"],
  ["a Topic Name with + as a level [MQTT-3.3.2-2]", topicName("/devices/+/events"), "0x90"],
  ["a Topic Name that ends with # [MQTT-3.3.2-2]", topicName("/devices/none/events/#"), "0x90"],
  ["an empty Topic Name [MQTT-4.7.3-1]", publish("00 00 {p}"), "0x82"],
  ["the Topic Name / (compatibility.md: an unknown topic)", topicName("/"), "0x90"],
  ["a Topic Name of the server's own (§4.7.2)", topicName("$SYS/broker/version"), "0x90"],
  [
    "a Topic Name without its leading slash (cloud-iot-core.md §4.3)",
    topicName("devices/none/events"),
    "0x90",
  ],
  ["a Topic Name with two leading slashes", topicName("//devices/none/events"), "0x90"],
  ["a Topic Name in capitals [MQTT-4.7.3-4]", topicName("/DEVICES/none/events"), "0x90"],
  ["a Topic Name with dots for a path", topicName("/devices/../events"), "0x90"],
  ["a Topic Name with a NUL written as %00", topicName("/devices/none%00/config"), "0x90"],
  ["a Topic Name behind a byte order mark (§1.5.4)", topicName("\ufeff/devices/none/events"), "0x90"],
  ["a Topic Name of 65,535 bytes", topicName(`/devices/none/events/${"a".repeat(65_514)}`), "0x90"],
  ["a Topic Name of 30,000 levels", topicName("/a".repeat(30_000)), "0x90"],
  ["an event of another device (compatibility.md)", publish(`${foreign} {p}`), "0x87"],
  ["an attach by a device that is no gateway", topicName("/devices/none/attach"), "0x87"],
  ["an event above 256 KiB (compatibility.md)", payload("events", 256 * 1024 + 1), "0x95"],
  ["a state above 64 KiB (compatibility.md)", payload("state", 64 * 1024 + 1), "0x95"],
  // SUBSCRIBE and UNSUBSCRIBE (§3.8, §3.10).
  ["a SUBSCRIBE without a Topic Filter [MQTT-3.8.3-2]", subscribe("00 01 {p}"), "0x82"],
  ["an empty Topic Filter [MQTT-4.7.3-1]", subscribe("00 01 {p} 00 00 01"), "0x82"],
  ["a second Topic Filter that is empty [MQTT-4.7.3-1]", subscribe("00 01 {p} {config} 01 00 00 01"), "0x82"],
  ["a Topic Filter without its options", subscribe("00 01 {p} {config}"), "0x81"],
  ["a Topic Filter longer than its packet", subscribe("00 01 {p} ff ff 'a' 01"), "0x81"],
  ["a subscription with QoS 3 (§3.8.3.1)", subscribe("00 01 {p} {config} 03"), "0x82"],
  ["Subscription Options with bit 6 [MQTT-3.8.3-5]", subscribe("00 01 {p} {config} 41"), "0x81"],
  ["Subscription Options with bit 7 [MQTT-3.8.3-5]", subscribe("00 01 {p} {config} 81"), "0x81"],
  ["Subscription Options of ones [MQTT-3.8.3-5]", subscribe("00 01 {p} {config} ff"), "0x81"],
  ["another device's config (compatibility.md)", topicFilter("/devices/none/config"), "0x87"],
  ["another device's commands (compatibility.md)", topicFilter("/devices/none/commands/#"), "0x87"],
  ["an UNSUBSCRIBE without a Topic Filter [MQTT-3.10.3-2]", unsubscribe("00 01 {p}"), "0x82"],
  ["an UNSUBSCRIBE of an empty filter [MQTT-4.7.3-1]", unsubscribe("00 01 {p} 00 00"), "0x82"],
  // Packets out of place.
  ["a PUBREC for nothing (§4.3.3)", raw("50 02 00 01"), "0x82"],
  ["a PUBREL for nothing (§4.3.3)", raw("62 02 00 01"), "0x82"],
  ["a PUBCOMP for nothing (§4.3.3)", raw("70 02 00 01"), "0x82"],
  ["a CONNACK from a client (table 2-1)", raw("20 02 00 00"), "0x82"],
  ["a SUBACK from a client (table 2-1)", raw("90 03 00 01 00"), "0x82"],
  ["an UNSUBACK from a client (table 2-1)", raw("b0 02 00 01"), "0x82"],
  ["a PINGRESP from a client (table 2-1)", raw("d0 00"), "0x82"],
  ["a second CONNECT [MQTT-3.1.0-2]", packet("10", "00 04 'MQTT' {v} 02 00 3c {p} {id}"), "0x82"],
  [
    "a second CONNECT of the other version [MQTT-3.1.0-2]",
    packet("10", "00 04 'MQTT' 03 02 00 3c {id}"),
    "0x82",
  ],
  ["a TLS ClientHello inside TLS", raw("16 03 01 00 05 01 00 00 01 03"), "0x82"],
  ["1 MiB of noise", () => noise(1 << 20, 0x00), "0x81"],
  ["1 MiB of 0xFF", () => Buffer.alloc(1 << 20, 0xff), "0x81"],
];

/** 5.0 alone. */
const breaches5: readonly Breach[] = [
  ["RETAIN, where CONNACK said there is none [MQTT-3.2.2-14]", packet("31", "{events} 00"), "0x9a"],
  ["Topic Alias 0 [MQTT-3.3.2-8]", publish("{events} 03 23 00 00"), "0x94"],
  ["Topic Alias 17 [MQTT-3.3.2-9]", publish("{events} 03 23 00 11"), "0x94"],
  ["Topic Alias 65,535 [MQTT-3.3.2-9]", publish("{events} 03 23 ff ff"), "0x94"],
  ["a Topic Alias that was never set (§3.3.4)", publish("00 00 03 23 00 03"), "0x82"],
  ["a Topic Alias set by a topic that is another's", publish(`${foreign} 03 23 00 01`), "0x87"],
  ["two Topic Aliases (§3.3.2.3.4)", publish("{events} 06 23 00 01 23 00 01"), "0x82"],
  ["two Payload Format Indicators (§3.3.2.3.2)", publish("{events} 04 01 00 01 00"), "0x82"],
  ["two Message Expiry Intervals (§3.3.2.3.3)", publish("{events} 0a 02 00 00 00 01 02 00 00 00 01"), "0x82"],
  ["two Content Types (§3.3.2.3.9)", publish("{events} 08 03 00 01 'c' 03 00 01 'c'"), "0x82"],
  ["two Response Topics (§3.3.2.3.5)", publish("{events} 08 08 00 01 't' 08 00 01 't'"), "0x82"],
  ["two sets of Correlation Data (§3.3.2.3.6)", publish("{events} 08 09 00 01 'd' 09 00 01 'd'"), "0x82"],
  ["Payload Format Indicator 2 (§3.3.2.3.2)", publish("{events} 02 01 02"), "0x82"],
  ["a Response Topic # [MQTT-3.3.2-14]", publish("{events} 04 08 00 01 '#'"), "0x82"],
  ["an empty Response Topic [MQTT-4.7.3-1]", publish("{events} 03 08 00 00"), "0x82"],
  ["a Response Topic that is no UTF-8 [MQTT-3.3.2-13]", publish("{events} 04 08 00 01 ff"), "0x81"],
  ["a Content Type with a surrogate [MQTT-3.3.2-19]", publish("{events} 06 03 00 03 ed a0 80"), "0x81"],
  ["a User Property with U+0000 [MQTT-1.5.4-2]", publish("{events} 07 26 00 01 00 00 01 'v'"), "0x81"],
  ["a Subscription Identifier in a PUBLISH [MQTT-3.3.4-6]", publish("{events} 02 0b 01"), "0x82"],
  ["property 0 (§2.2.2.2)", publish("{events} 02 00 00"), "0x81"],
  ["property 0x04 (§2.2.2.2)", publish("{events} 02 04 00"), "0x81"],
  ["property 0x7F (§2.2.2.2)", publish("{events} 02 7f 00"), "0x81"],
  ["a property whose identifier has four bytes (§2.2.2.2)", publish("{events} 05 80 80 80 01 00"), "0x81"],
  [
    "a property whose identifier is longer than needed [MQTT-1.5.5-1]",
    publish("{events} 04 a3 00 00 01"),
    "0x81",
  ],
  ...["11 00 00 00 01", "12 00 01 'i'", "13 00 01", "15 00 01 'm'", "16 00 01 'd'", "17 00", "18 00 00 00 01"]
    .concat([
      "19 00",
      "1a 00 01 'i'",
      "1c 00 01 's'",
      "1f 00 01 'r'",
      "21 00 01",
      "22 00 01",
      "24 00",
      "25 00",
    ])
    .concat(["27 00 00 00 01", "28 00", "29 00", "2a 00"])
    .map(
      (property): Breach => [
        `property 0x${property.slice(0, 2)}, which has no place in PUBLISH (§2.2.2.2)`,
        publishWith(property),
        "0x81",
      ],
    ),
  ["a property that ends with its identifier", publish("{events} 01 01"), "0x81"],
  ["a Message Expiry Interval of three bytes", publish("{events} 04 02 00 00 01"), "0x81"],
  ["a Content Type longer than the properties", publish("{events} 04 03 ff ff 'c'"), "0x81"],
  ["Correlation Data longer than the properties", publish("{events} 04 09 00 02 'd'"), "0x81"],
  ["a User Property without its value", publish("{events} 04 26 00 01 'n'"), "0x81"],
  ["a Topic Alias of one byte", publish("{events} 02 23 01"), "0x81"],
  ["a Property Length longer than its packet (§2.2.2.1)", publish("{events} 7f"), "0x81"],
  ["a Property Length of two bytes for 0 [MQTT-1.5.5-1]", publish("{events} 80 00"), "0x81"],
  ["a Property Length of five bytes (§1.5.5)", publish("{events} ff ff ff ff 7f"), "0x81"],
  ["a PUBLISH without a Property Length (§3.3.2.3.1)", publish("{events}"), "0x81"],
  ["a SUBSCRIBE with Retain Handling 3 (§3.8.3.1)", subscribe("00 01 00 {config} 31"), "0x82"],
  ["No Local on a Shared Subscription [MQTT-3.8.3-4]", subscribe("00 01 00 00 0a '$share/g/f' 05"), "0x82"],
  ["a Shared Subscription (mqtt.md: 0x9E)", subscribe("00 01 00 00 0a '$share/g/f' 01"), "0x9e"],
  ["Subscription Identifier 0 (§3.8.2.1.2)", subscribe("00 01 02 0b 00 {config} 01"), "0x82"],
  ["a Subscription Identifier (mqtt.md: 0xA1)", subscribe("00 01 02 0b 05 {config} 01"), "0xa1"],
  ["two Subscription Identifiers (§3.8.2.1.2)", subscribe("00 01 04 0b 05 0b 06 {config} 01"), "0x82"],
  ["a Topic Alias in a SUBSCRIBE (§2.2.2.2)", subscribe("00 01 03 23 00 01 {config} 01"), "0x81"],
  ["a Subscription Identifier in an UNSUBSCRIBE (§2.2.2.2)", unsubscribe("00 01 02 0b 05 {config}"), "0x81"],
  ["a PUBACK with a Reason Code it cannot carry [MQTT-3.4.2-1]", raw("40 03 00 01 01"), "0x82"],
  ["a PUBACK with a property of another packet", raw("40 06 00 01 00 02 01 00"), "0x81"],
  [
    "a PUBACK with two Reason Strings (§3.4.2.2.2)",
    packet("40", "00 01 00 08 1f 00 01 'r' 1f 00 01 'r'"),
    "0x82",
  ],
  ["an AUTH where CONNECT named no method [MQTT-4.12.0-7]", packet("f0", "19 04 15 00 01 'm'"), "0x82"],
  ["an AUTH of nothing (§3.15.2.1)", raw("f0 00"), "0x82"],
  ["an AUTH by our method, which CONNECT did not name", packet("f0", "19 0d 15 00 0a 'mayfly-jwt'"), "0x82"],
  ["an AUTH with a Reason Code it cannot carry [MQTT-3.15.2-1]", raw("f0 02 01 00"), "0x82"],
  ["an AUTH with flags [MQTT-3.15.1-1]", raw("f1 00"), "0x81"],
  ["a DISCONNECT with a Reason Code of a server [MQTT-3.14.2-1]", raw("e0 01 8b"), "0x82"],
  ["a DISCONNECT with Reason Code 0x01 [MQTT-3.14.2-1]", raw("e0 01 01"), "0x82"],
  ["a DISCONNECT that would begin a Session (§3.14.2.2.2)", raw("e0 07 00 05 11 00 00 00 01"), "0x82"],
  [
    "a DISCONNECT with two Session Expiry Intervals",
    packet("e0", "00 0a 11 00 00 00 00 11 00 00 00 00"),
    "0x82",
  ],
  ["a DISCONNECT with a property of another packet", raw("e0 04 00 02 01 00"), "0x81"],
  [
    "a 21st PUBLISH while 20 are unacknowledged (§3.3.4)",
    times(21, (n) => publish1(`{events} ${hex(n + 1)} 00`)),
    "0x93",
  ],
];

function publishWith(property: string): Bytes {
  return (sender) => {
    const value = raw(property)(sender);
    const properties = Buffer.concat([Buffer.of(value.length), value]);
    return framed("30", Buffer.concat([field(`/devices/${sender.id}/events`), properties]));
  };
}

const breaches311: readonly Seen[] = [
  ["an AUTH, which 3.1.1 does not have (table 2.1)", raw("f0 00"), "closed"],
  ["a PUBACK with a Reason Code, which 3.1.1 does not have", raw("40 03 00 01 00"), "closed"],
  ["a DISCONNECT with a body (§3.14.1)", raw("e0 01 00"), "closed"],
  ["Subscription Options of 5.0: No Local [MQTT-3.8.3-4]", subscribe("00 01 {config} 04"), "closed"],
  [
    "Subscription Options of 5.0: Retain As Published [MQTT-3.8.3-4]",
    subscribe("00 01 {config} 09"),
    "closed",
  ],
  ["Subscription Options of 5.0: Retain Handling 1 [MQTT-3.8.3-4]", subscribe("00 01 {config} 11"), "closed"],
  ["RETAIN (compatibility.md: ignored)", packet("31", "{events}"), "open"],
];

/** What looks like an attack and has an answer; the connection goes on. */
const answered: readonly (readonly [what: string, bytes: Bytes, answer4: string, answer5: string])[] = [
  ["a PUBACK for nothing (§4.3.2)", raw("40 02 00 01"), "open", "open"],
  ["a PUBACK for nothing, 65,535", raw("40 02 ff ff"), "open", "open"],
  [
    "a Packet Identifier used again at once [MQTT-2.2.1-3]",
    both(publish1("{events} 00 07 {p}"), publish1("{events} 00 07 {p}")),
    "PUBACK 7, PUBACK 7, open",
    "PUBACK 7, PUBACK 7, open",
  ],
  [
    "DUP on a first delivery [MQTT-3.3.1-1]",
    packet("3a", "{events} 00 08 {p}"),
    "PUBACK 8, open",
    "PUBACK 8, open",
  ],
  [
    "a filter that does not exist",
    topicFilter("/devices/none/nothing"),
    "SUBACK 0x80, open",
    "SUBACK 0x8f, open",
  ],
  ...["#", "+", "/devices/+/config", "/devices/#", "+/+"].map(
    (filter) =>
      [
        `a subscription to everything: ${filter} (compatibility.md)`,
        topicFilter(filter),
        "SUBACK 0x80, open",
        "SUBACK 0xa2, open",
      ] as const,
  ),
  ...["a/#/b", "a#", "#a", "a+", "+a/b", "##", "$SYS/#b"].map(
    (filter) =>
      [
        `a filter whose wildcard stands wrong: ${filter} [MQTT-4.7.1-1, -2]`,
        topicFilter(filter),
        "SUBACK 0x80, open",
        "SUBACK 0x8f, open",
      ] as const,
  ),
  ["a filter of 65,535 bytes", topicFilter("a".repeat(65_535)), "SUBACK 0x80, open", "SUBACK 0x8f, open"],
  [
    "an UNSUBSCRIBE of what was not subscribed to [MQTT-3.11.3-2]",
    unsubscribe("00 01 {p} {config}"),
    "UNSUBACK, open",
    "UNSUBACK 0x11, open",
  ],
  [
    "a thousand filters in one SUBSCRIBE",
    (sender) => {
      const head = Buffer.concat([Buffer.of(0, 1), ...(sender.version === 5 ? [Buffer.of(0)] : [])]);
      const filter = Buffer.concat([field("x"), Buffer.of(0)]);
      return framed("82", Buffer.concat([head, ...Array.from({ length: 1_000 }, () => filter)]));
    },
    ["SUBACK", ...Array.from({ length: 1_000 }, () => "0x80")].join(" ").concat(", open"),
    ["SUBACK", ...Array.from({ length: 1_000 }, () => "0x8f")].join(" ").concat(", open"),
  ],
  [
    "5,000 PUBLISHes of QoS 0 at once (5.0 §4.9 limits QoS 1 and 2 alone)",
    repeated(5_000, publish("{events} {p}")),
    "open",
    "open",
  ],
  ["what follows a DISCONNECT [MQTT-3.14.4-2]", raw("e0 00 c0 00"), "closed", "closed"],
  // Half a packet is no breach yet: Keep Alive bounds the wait.
  ["a first byte, and no more", raw("30"), "silence", "silence"],
  ["a fixed header, and no more", raw("30 fc ff 11"), "silence", "silence"],
  ["half a PUBLISH", both(raw("32 7f"), raw("{events}")), "silence", "silence"],
];

const answered311: readonly Seen[] = [
  [
    "300 PUBLISHes of QoS 1 at once (compatibility.md: held, then reading stops)",
    times(300, (n) => publish1(`{events} ${hex(n + 1)}`)),
    `${Array.from({ length: 300 }, (_, n) => `PUBACK ${n + 1}`).join(", ")}, open`,
  ],
  ["a Shared Subscription, which 3.1.1 does not know", topicFilter("$share/g/f"), "SUBACK 0x80, open"],
];

const rowsOf = (version: 4 | 5, rows: readonly Seen[]): readonly Row[] =>
  rows.map(([what, bytes, answer]) => ({ what, bytes, version, answer }));
const ends = (rows: readonly Breach[]): readonly Seen[] =>
  rows.map(([what, bytes, reasonCode]) => [what, bytes, `DISCONNECT ${reasonCode}, closed`]);

export const hostilePackets: readonly Row[] = [
  ...rowsOf(
    4,
    breaches.map(([what, bytes]) => [what, bytes, "closed"]),
  ),
  ...rowsOf(5, ends(breaches)),
  ...rowsOf(5, ends(breaches5)),
  ...rowsOf(4, breaches311),
  ...rowsOf(
    4,
    answered.map(([what, bytes, answer]) => [what, bytes, answer]),
  ),
  ...rowsOf(
    5,
    answered.map(([what, bytes, , answer]) => [what, bytes, answer]),
  ),
  ...rowsOf(4, answered311),
];

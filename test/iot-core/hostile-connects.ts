/**
 * First packets that no client should send: a CONNECT with something wrong, or no CONNECT at all.
 *
 * Before a CONNECT can be read in full nobody is answered but with what his version has for it: 5.0 a CONNACK of the
 * Reason Code, 3.1.1 nothing but the end (3.1.1 §4.8). What the CONNECT asks for may be refused in both.
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

type InBoth = readonly [what: string, bytes: Bytes, answer4: string, answer5: string];
type InOne = readonly [what: string, bytes: Bytes, answer: string];

const ended = "closed";
const malformed = "CONNACK 0x81, closed";
const protocolError = "CONNACK 0x82, closed";
const otherVersion = "CONNACK 0x01, closed";

/** Flags, what follows the properties; no properties. */
function connect(flags: string, payload: string): Bytes {
  return packet("10", `00 04 'MQTT' {v} ${flags} 00 3c {p} ${payload}`);
}

/** 5.0: properties with their length, then a Client Identifier. */
function withProperties(properties: string): Bytes {
  return packet("10", `00 04 'MQTT' 05 02 00 3c ${properties} 00 01 'c'`);
}

function withWillProperties(properties: string): Bytes {
  return packet("10", `00 04 'MQTT' 05 06 00 3c 00 00 01 'c' ${properties} 00 01 't' 00 00`);
}

const whole = "00 04 'MQTT' {v} c2 00 3c {p} 00 01 'c' 00 01 'u' 00 01 'p'";

/** A CONNECT of so many bytes less, whose Remaining Length says so. */
function cutTo(length: number): Bytes {
  return (sender) => framed("10", packet("10", whole)(sender).subarray(2, 2 + length));
}

/** 3.1.1 has 19 bytes behind its fixed header, 5.0 one more; until the seventh is read they are the same. */
const cuts: readonly Row[] = [...Array(19).keys()]
  .map((length) => cutRow(4, length, ended))
  .concat([...Array(13).keys()].map((more) => cutRow(5, 7 + more, malformed)));

function cutRow(version: 4 | 5, length: number, answer: string): Row {
  return {
    what: `a CONNECT that ends after ${length} bytes [MQTT-3.1.4-1]`,
    version,
    bytes: cutTo(length),
    answer,
  };
}

const inBoth: readonly InBoth[] = [
  ...illFormedTexts.flatMap(([what, bytes]): InBoth[] => [
    [`a Client Identifier with ${what} [MQTT-3.1.3-4]`, connect("02", lengthAnd(bytes)), ended, malformed],
    [
      `a User Name with ${what} [MQTT-3.1.3-12]`,
      connect("82", `00 01 'c' ${lengthAnd(bytes)}`),
      ended,
      malformed,
    ],
  ]),
  [
    "a Client Identifier behind a byte order mark (§1.5.4: it is U+FEFF, and no path has it)",
    connect("02", "00 05 ef bb bf 'p/'"),
    "CONNACK 0x02, closed",
    "CONNACK 0x85, closed",
  ],
  ...["", "c", "/", "projects", "devices/fern", "#", "+", "$SYS/c", "../../etc/passwd"].map(
    (text): InBoth => [
      `the Client Identifier '${text}' (compatibility.md: a malformed Client Identifier)`,
      (sender) => clientIdentifier(text)(sender),
      "CONNACK 0x02, closed",
      "CONNACK 0x85, closed",
    ],
  ),
  ...["/", " ", "/..", "%00", "/x"].map(
    (more): InBoth => [
      `a device's own Client Identifier and '${more}' (compatibility.md: malformed; % is legal in an id)`,
      (sender) => clientIdentifier(`${sender.clientIdentifier}${more}`)(sender),
      more === "%00" ? "CONNACK 0x05, closed" : "CONNACK 0x02, closed",
      more === "%00" ? "CONNACK 0x87, closed" : "CONNACK 0x85, closed",
    ],
  ),
  [
    "the path in capitals (ids are case-sensitive)",
    (sender) => clientIdentifier(sender.clientIdentifier.toUpperCase())(sender),
    "CONNACK 0x02, closed",
    "CONNACK 0x85, closed",
  ],
  [
    "a CONNECT without any credential (cloud-iot-core.md §4.2: 5 for all of these)",
    connect("02", "{id}"),
    "CONNACK 0x05, closed",
    "CONNACK 0x87, closed",
  ],
  [
    "an empty Password (cloud-iot-core.md §4.2)",
    connect("c2", "{id} 00 01 'u' 00 00"),
    "CONNACK 0x05, closed",
    "CONNACK 0x87, closed",
  ],
  [
    "a Password that is no text (compatibility.md: a malformed token)",
    connect("c2", "{id} 00 01 'u' 00 04 ff fe 00 80"),
    "CONNACK 0x05, closed",
    "CONNACK 0x87, closed",
  ],
  ["the reserved Connect Flag [MQTT-3.1.2-3]", connect("03", "00 01 'c'"), ended, malformed],
  ["Will QoS 1 without a Will [MQTT-3.1.2-11]", connect("0a", "00 01 'c'"), ended, malformed],
  ["Will QoS 2 without a Will [MQTT-3.1.2-11]", connect("12", "00 01 'c'"), ended, malformed],
  ["Will QoS 3 without a Will [MQTT-3.1.2-11]", connect("1a", "00 01 'c'"), ended, malformed],
  ["Will Retain without a Will [MQTT-3.1.2-13]", connect("22", "00 01 'c'"), ended, malformed],
  ["Will QoS 3 [MQTT-3.1.2-12]", connect("1e", "00 01 'c' {p} 00 01 't' 00 00"), ended, malformed],
  ["a Will Flag without a Will [MQTT-3.1.2-9]", connect("06", "00 01 'c'"), ended, malformed],
  ["a Will without its message [MQTT-3.1.2-9]", connect("06", "00 01 'c' {p} 00 01 't'"), ended, malformed],
  ["a User Name Flag without a User Name [MQTT-3.1.2-17]", connect("82", "00 01 'c'"), ended, malformed],
  ["a User Name without its flag [MQTT-3.1.2-16]", connect("02", "00 01 'c' 00 01 'u'"), ended, malformed],
  ["a byte behind the payload [MQTT-3.1.4-1]", connect("02", "00 01 'c' 00"), ended, malformed],
  ["a Client Identifier longer than its packet (§1.5.4)", connect("02", "ff ff 'c'"), ended, malformed],
  [
    "a Password longer than its packet (§1.5.6)",
    connect("c2", "00 01 'c' 00 01 'u' ff ff 'p'"),
    ended,
    malformed,
  ],
  [
    "a Will Topic with a wildcard (mqtt.md, CONNACK 0x90)",
    connect("06", "00 01 'c' {p} 00 01 '#' 00 00"),
    ended,
    "CONNACK 0x90, closed",
  ],
  [
    "an empty Will Topic (mqtt.md, CONNACK 0x90)",
    connect("06", "00 01 'c' {p} 00 00 00 00"),
    ended,
    "CONNACK 0x90, closed",
  ],
  ...["11", "12", "14", "18", "1f"].map(
    (first): InBoth => [
      `a CONNECT whose first byte is 0x${first} (table 2-2)`,
      packet(first, whole),
      ended,
      ended,
    ],
  ),
  [
    "a CONNECT above 16 KiB (compatibility.md: what is kept of a peer that is not admitted)",
    both(raw("10 80 80 10 00 04 'MQTT' {v} c2 00 3c {p} {id}"), () => Buffer.alloc(20_000, "x")),
    ended,
    ended,
  ],
  [
    "a Remaining Length of a CONNECT above the Maximum Packet Size [MQTT-3.1.4-1]",
    raw("10 ff ff ff 7f 00 04 'MQTT' {v}"),
    ended,
    ended,
  ],
  [
    "a Protocol Name in lower case [MQTT-3.1.2-1]",
    packet("10", "00 04 'mqtt' {v} 02 00 3c {p} 00 01 'c'"),
    otherVersion,
    otherVersion,
  ],
  [
    "a Protocol Name with one letter more [MQTT-3.1.2-1]",
    packet("10", "00 05 'MQTTT' {v} 02 00 3c {p} 00 01 'c'"),
    otherVersion,
    otherVersion,
  ],
  [
    "an empty Protocol Name [MQTT-3.1.2-1]",
    packet("10", "00 00 {v} 02 00 3c {p} 00 01 'c'"),
    otherVersion,
    otherVersion,
  ],
];

function clientIdentifier(text: string): Bytes {
  return ({ version }) => connectOf(version, text);
}

function connectOf(version: 4 | 5, text: string): Buffer {
  const head = Buffer.concat([
    field("MQTT"),
    Buffer.of(version, 2, 0, 60),
    ...(version === 5 ? [Buffer.of(0)] : []),
  ]);
  return framed("10", Buffer.concat([head, field(text)]));
}

const in311: readonly InOne[] = [
  [
    "a Password without a User Name (compatibility.md: taken), and no device's path",
    connect("42", "00 01 'c' 00 01 'p'"),
    "CONNACK 0x02, closed",
  ],
  ["MQTT 3.1, as MQIsdp (§3.1.2.2)", packet("10", "00 06 'MQIsdp' 03 02 00 3c 00 01 'c'"), otherVersion],
  ...["00", "01", "02", "03", "06", "7f", "83", "84", "85", "ff"].map(
    (level): InOne => [
      `protocol level 0x${level} [MQTT-3.1.2-2]`,
      packet("10", `00 04 'MQTT' ${level} 02 00 3c 00 01 'c'`),
      otherVersion,
    ],
  ),
  ["a Protocol Name longer than its packet (§1.5.4)", packet("10", "ff ff 'MQTT' 04"), ended],
  // Not a packet that a client may begin with [MQTT-3.1.0-1].
  ["packet type 0 first", raw("00 00"), ended],
  ["a CONNACK first [MQTT-3.1.0-1]", raw("20 02 00 00"), ended],
  ["a PUBLISH first [MQTT-3.1.0-1]", packet("30", "{events} 'x'"), ended],
  ["a PUBLISH of QoS 1 first [MQTT-3.1.0-1]", packet("32", "{events} 00 01 'x'"), ended],
  ["a PUBACK first [MQTT-3.1.0-1]", raw("40 02 00 01"), ended],
  ["a PUBREC first [MQTT-3.1.0-1]", raw("50 02 00 01"), ended],
  ["a PUBREL first [MQTT-3.1.0-1]", raw("62 02 00 01"), ended],
  ["a PUBCOMP first [MQTT-3.1.0-1]", raw("70 02 00 01"), ended],
  ["a SUBSCRIBE first [MQTT-3.1.0-1]", packet("82", "00 01 {config} 01"), ended],
  ["a SUBACK first [MQTT-3.1.0-1]", raw("90 03 00 01 00"), ended],
  ["an UNSUBSCRIBE first [MQTT-3.1.0-1]", packet("a2", "00 01 {config}"), ended],
  ["an UNSUBACK first [MQTT-3.1.0-1]", raw("b0 02 00 01"), ended],
  ["a PINGREQ first [MQTT-3.1.0-1]", raw("c0 00"), ended],
  ["a PINGRESP first [MQTT-3.1.0-1]", raw("d0 00"), ended],
  ["a DISCONNECT first [MQTT-3.1.0-1]", raw("e0 00"), ended],
  ["an AUTH first [MQTT-3.1.0-1]", raw("f0 00"), ended],
  ["a Remaining Length of five bytes (§2.2.3)", raw("10 ff ff ff ff 7f"), ended],
  ["a Remaining Length of two bytes for 0 (§2.2.3)", raw("10 80 00"), ended],
  ["an HTTP request", raw("'GET / HTTP/1.1' 0d 0a 'Host: x' 0d 0a 0d 0a"), ended],
  ["HTTP/2's preface", raw("'PRI * HTTP/2.0' 0d 0a 0d 0a 'SM' 0d 0a 0d 0a"), ended],
  ["a WebSocket upgrade", raw("'GET /mqtt HTTP/1.1' 0d 0a 'Upgrade: websocket' 0d 0a 0d 0a"), ended],
  ["a TLS ClientHello inside TLS", raw("16 03 01 00 05 01 00 00 01 03"), ended],
  ["an SSH banner", raw("'SSH-2.0-x' 0d 0a"), ended],
  ["1 MiB of zeros", () => Buffer.alloc(1 << 20), ended],
  ["1 MiB of 0xFF", () => Buffer.alloc(1 << 20, 0xff), ended],
  ["1 MiB of PINGREQs", () => Buffer.alloc(1 << 20, Buffer.of(0xc0, 0)), ended],
  ["1 MiB of noise", () => noise(1 << 20, 0x10), ended],
  [
    "a CONNECT's first byte, then 1 MiB of line feeds",
    () => Buffer.concat([Buffer.of(0x10), Buffer.alloc(1 << 20, 10)]),
    ended,
  ],
];

/** Always the same noise (an LCG), behind that first byte. */
export function noise(length: number, firstByte: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  bytes[0] = firstByte;
  return bytes;
}

const in5: readonly InOne[] = [
  ["a Password where the method has its own (mqtt.md, 0x87)", connectBothWays, "CONNACK 0x87, closed"],
  ["Authentication Data without a method (§3.1.2.11.10)", withProperties("04 16 00 01 'd'"), protocolError],
  ["a method that is not offered [MQTT-4.12.0-1]", withProperties("04 15 00 01 'm'"), "CONNACK 0x8c, closed"],
  ["an empty method [MQTT-4.12.0-1]", withProperties("03 15 00 00"), "CONNACK 0x8c, closed"],
  ["Receive Maximum 0 (§3.1.2.11.3)", withProperties("03 21 00 00"), protocolError],
  ["Maximum Packet Size 0 (§3.1.2.11.4)", withProperties("05 27 00 00 00 00"), protocolError],
  ["Request Response Information 2 (§3.1.2.11.6)", withProperties("02 19 02"), protocolError],
  ["Request Problem Information 2 (§3.1.2.11.7)", withProperties("02 17 02"), protocolError],
  [
    "two Session Expiry Intervals (§3.1.2.11.2)",
    withProperties("0a 11 00 00 00 01 11 00 00 00 01"),
    protocolError,
  ],
  ["two Receive Maximums (§3.1.2.11.3)", withProperties("06 21 00 01 21 00 01"), protocolError],
  [
    "two Maximum Packet Sizes (§3.1.2.11.4)",
    withProperties("0a 27 00 00 ff ff 27 00 00 ff ff"),
    protocolError,
  ],
  ["two Topic Alias Maximums (§3.1.2.11.5)", withProperties("06 22 00 01 22 00 01"), protocolError],
  ["two Request Problem Informations (§3.1.2.11.7)", withProperties("04 17 00 17 00"), protocolError],
  ["two Authentication Methods (§3.1.2.11.9)", withProperties("08 15 00 01 'm' 15 00 01 'm'"), protocolError],
  ["a Property Length longer than its packet (§2.2.2.1)", withProperties("7f"), malformed],
  ["a Property Length of two bytes for 0 [MQTT-1.5.5-1]", withProperties("80 00"), malformed],
  ["a Property Length of five bytes (§1.5.5)", withProperties("ff ff ff ff 7f"), malformed],
  ["a property that ends with its identifier (§2.2.2)", withProperties("01 11"), malformed],
  ["a property cut short (§2.2.2)", withProperties("03 11 00 00"), malformed],
  ["a User Property without its value (§2.2.2)", withProperties("04 26 00 01 'n'"), malformed],
  ["a User Property that is no UTF-8 [MQTT-1.5.7-1]", withProperties("07 26 00 01 ff 00 01 'v'"), malformed],
  ["property 0 (§2.2.2.2)", withProperties("02 00 00"), malformed],
  ["property 0x7F (§2.2.2.2)", withProperties("02 7f 00"), malformed],
  ["a property whose identifier has four bytes (§2.2.2.2)", withProperties("05 ff ff ff 7f 00"), malformed],
  ...[
    "01 00",
    "02 00 00 00 01",
    "03 00 01 'c'",
    "08 00 01 't'",
    "09 00 01 'd'",
    "0b 01",
    "12 00 01 'i'",
    "13 00 01",
  ]
    .concat(["18 00 00 00 01", "1a 00 01 'i'", "1c 00 01 's'", "1f 00 01 'r'", "23 00 01", "24 00", "25 00"])
    .concat(["28 00", "29 00", "2a 00"])
    .map(
      (property): InOne => [
        `property 0x${property.slice(0, 2)}, which has no place in CONNECT (§2.2.2.2)`,
        withProperties(`${lengthOf(property)} ${property}`),
        malformed,
      ],
    ),
  ["a Will of QoS 2 [MQTT-3.2.2-12]", connect("16", "00 01 'c' 00 00 01 't' 00 00"), "CONNACK 0x9b, closed"],
  [
    "a Will with Will Retain [MQTT-3.2.2-13]",
    connect("26", "00 01 'c' 00 00 01 't' 00 00"),
    "CONNACK 0x9a, closed",
  ],
  ["a Session Expiry Interval of a Will (§3.1.3.2)", withWillProperties("05 11 00 00 00 01"), malformed],
  [
    "two Will Delay Intervals (§3.1.3.2.2)",
    withWillProperties("0a 18 00 00 00 01 18 00 00 00 01"),
    protocolError,
  ],
  [
    "a Will's Response Topic with a wildcard (§3.1.3.2.6)",
    withWillProperties("04 08 00 01 '+'"),
    protocolError,
  ],
  ["Payload Format Indicator 2 of a Will (§3.1.3.2.3)", withWillProperties("02 01 02"), protocolError],
];

function connectBothWays(): Buffer {
  const properties = Buffer.concat([Buffer.of(0x15), field("mayfly-jwt"), Buffer.of(0x16), field("d")]);
  const head = [field("MQTT"), Buffer.of(5, 0x42, 0, 60), Buffer.of(properties.length), properties];
  return framed("10", Buffer.concat([...head, field("c"), field("p")]));
}

function lengthOf(property: string): string {
  const bytes = property.match(/'[^']*'|[0-9a-f]{2}/g) ?? [];
  const length = bytes.reduce((sum, each) => sum + (each.startsWith("'") ? each.length - 2 : 1), 0);
  return length.toString(16).padStart(2, "0");
}

export const hostileConnects: readonly Row[] = [
  ...cuts,
  ...inBoth.flatMap(([what, bytes, answer4, answer5]): Row[] => [
    { what, bytes, version: 4, answer: answer4 },
    { what, bytes, version: 5, answer: answer5 },
  ]),
  ...in311.map(([what, bytes, answer]): Row => ({ what, bytes, version: 4, answer })),
  ...in5.map(([what, bytes, answer]): Row => ({ what, bytes, version: 5, answer })),
];

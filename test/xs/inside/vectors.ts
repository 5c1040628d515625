/**
 * What device and bridge must hold equal byte for byte, worked out from fixed inputs: one line of text each.
 *
 * Engines differ where nobody looks: string lengths, rounding, the order of members in JSON, surrogates. Here every
 * codec of the device's side says its bytes, so that two engines can be compared as texts. No clock, no chance.
 */
import {
  base64Encode,
  base64urlDecode,
  base64urlEncode,
  commandsFilter,
  eventsTopic,
  formatDeviceName,
  hexDecode,
  hexEncode,
  utf8Decode,
  utf8Encode,
  utf8Length,
} from "@mayfly/core";
import type { ClientPacket, ProtocolVersion, ServerPacket } from "@mayfly/core/mqtt";
import { ClientDecoder, encodeClientPacket } from "@mayfly/core/mqtt-client";
import { encodeServerPacket } from "@mayfly/core/mqtt-server";
import { createSha256 } from "@mayfly/core/sha256";
import {
  encodeDelegationMessage,
  encodeTimeMessage,
  encodeTimeRequest,
  joinTimeAnswer,
  verifyTimeAnswer,
} from "@mayfly/core/time-answer";
import { encodeTokenSigningInput, mintDeviceToken, parseToken, tokenClaimsFor } from "@mayfly/core/token";

/** ASCII, two, three and four bytes a character, a lone surrogate, a zero. */
const texts = ["", "lamp", "Müller", "温度", "😀 and 😀", "a\ud800b", "\u0000", "\ufffd\uffff"];

/** The lines `name value`; all of them in every engine, in this order. */
export async function vectors(): Promise<string> {
  const lines: string[] = [];
  const say = (name: string, value: string): void => {
    lines.push(`${name} ${value}`);
  };
  sayTexts(say);
  sayHashes(say);
  await sayTokens(say);
  sayPackets(say);
  await sayTimes(say);
  return lines.join("\n");
}

type Say = (name: string, value: string) => void;

function sayTexts(say: Say): void {
  for (const text of texts) {
    const bytes = utf8Encode(text);
    say("utf8", `${hexEncode(bytes)} ${utf8Length(text)}`);
    say("utf8-back", hexEncode(utf8Encode(utf8Decode(bytes))));
    say("base64url", base64urlEncode(bytes));
    say("base64", base64Encode(bytes));
    say("base64url-back", hexEncode(base64urlDecode(base64urlEncode(bytes))));
  }
  for (let length = 0; length < 20; length++) say("base64url", base64urlEncode(pattern(length)));
  for (const wrong of ["c0af", "eda080", "f4908080", "ff", "e2 82"]) {
    say(
      "utf8-wrong",
      outcomeOf(() => utf8Decode(hexDecode(wrong.replace(" ", "")))),
    );
  }
  for (const wrong of ["a", "aB", "a=", "a b", "ü"])
    say(
      "base64url-wrong",
      outcomeOf(() => hexEncode(base64urlDecode(wrong))),
    );
  say("topic", eventsTopic("lamp", "indoor"));
  say("topic", commandsFilter("lamp"));
}

function sayHashes(say: Say): void {
  const sha256 = createSha256();
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
    say(`sha256-${length}`, hexEncode(sha256.digest(pattern(length))));
  }
}

async function sayTokens(say: Say): Promise<void> {
  const devicePath = formatDeviceName({
    project: "mayfly",
    location: "here",
    registry: "lamps",
    device: "lamp",
  });
  const sha256 = createSha256();
  // Not a signature of anything: R and S in range is all that minting looks at.
  const signDigest = async (digest: Uint8Array): Promise<Uint8Array> => {
    say("digest", hexEncode(digest));
    return pattern(64, 1);
  };
  for (const [issuedAt, uncertaintySeconds] of [
    [1_793_491_200, 0],
    [1_793_491_200.999, 0.25],
    [4_102_444_799.5, 29.6],
  ] as const) {
    const claims = tokenClaimsFor({
      projectId: "mayfly",
      devicePath,
      issuedAt,
      lifetimeSeconds: 3_600,
      uncertaintySeconds,
    });
    say(
      "signing-input",
      utf8Decode(encodeTokenSigningInput({ alg: "ES256", typ: "JWT", kid: "slot-0" }, claims)),
    );
    const token = await mintDeviceToken(claims, { keyId: "slot-0", signDigest }, sha256);
    say("token", token);
    say("token-parsed", JSON.stringify(parseToken(token, { looseBase64: false }).claims));
  }
}

const token = "aaaa.bbbb.cccc";
const clientPackets: readonly ClientPacket[] = [
  {
    type: "connect",
    protocolVersion: 4,
    cleanStart: true,
    keepAlive: 1_200,
    clientIdentifier: "projects/mayfly/locations/here/registries/lamps/devices/lamp",
    userName: "mayfly/1",
    password: utf8Encode(token),
  },
  {
    type: "connect",
    protocolVersion: 5,
    cleanStart: true,
    keepAlive: 60,
    clientIdentifier: "projects/mayfly/locations/here/registries/lamps/devices/lamp",
    userName: "mayfly/1",
    properties: {
      receiveMaximum: 20,
      maximumPacketSize: 270_336,
      authenticationMethod: "mayfly-jwt",
      authenticationData: utf8Encode(token),
    },
  },
  {
    type: "publish",
    dup: true,
    qos: 1,
    retain: false,
    topic: "/devices/lamp/events/温度",
    packetIdentifier: 65_535,
    payload: pattern(200),
    properties: { userProperties: [["id", "😀"]] },
  },
  { type: "publish", dup: false, qos: 0, retain: false, topic: "/devices/lamp/state", payload: pattern(0) },
  {
    type: "subscribe",
    packetIdentifier: 1,
    subscriptions: ["/devices/lamp/config", "/devices/lamp/commands/#"].map((topicFilter) => ({
      topicFilter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    })),
  },
  { type: "puback", packetIdentifier: 300, reasonCode: 0 },
  { type: "puback", packetIdentifier: 301, reasonCode: 0x83 },
  { type: "pingreq" },
  {
    type: "auth",
    reasonCode: 0x19,
    properties: { authenticationMethod: "mayfly-jwt", authenticationData: utf8Encode(token) },
  },
  { type: "disconnect", reasonCode: 0 },
];

const serverPackets: readonly ServerPacket[] = [
  {
    type: "connack",
    sessionPresent: false,
    reasonCode: 0,
    properties: {
      receiveMaximum: 20,
      authenticationMethod: "mayfly-jwt",
      userProperties: [
        ["exp", "1793494800"],
        ["serverTime", "1793491200.123"],
      ],
    },
  },
  {
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: "/devices/lamp/commands/温度",
    packetIdentifier: 7,
    payload: pattern(33),
  },
  { type: "suback", packetIdentifier: 1, reasonCodes: [1, 0x80] },
  { type: "puback", packetIdentifier: 9, reasonCode: 0 },
  { type: "pingresp" },
];

function sayPackets(say: Say): void {
  for (const version of [4, 5] as const) {
    for (const packet of clientPackets) {
      if (packet.type === "connect" && packet.protocolVersion !== version) continue;
      if (version === 4 && packet.type === "auth") continue;
      say(
        `${packet.type}-${version}`,
        outcomeOf(() => hexEncode(encodeClientPacket(packet, version))),
      );
    }
    for (const packet of serverPackets) sayDecoded(say, packet, version);
  }
  say(
    "packet-cut",
    outcomeOf(() => decode(Uint8Array.of(0x20, 0x80, 0x80, 0x80, 0x80, 0x01), 5)),
  );
}

/** Decoded in two pieces, as a network would bring it. */
function sayDecoded(say: Say, packet: ServerPacket, version: ProtocolVersion): void {
  say(
    `${packet.type}-${version}-sent`,
    outcomeOf(() => hexEncode(encodeServerPacket(packet, version))),
  );
  say(
    `${packet.type}-${version}-taken`,
    outcomeOf(() => decode(encodeServerPacket(packet, version), version)),
  );
}

function decode(bytes: Uint8Array, protocolVersion: ProtocolVersion): string {
  const decoder = new ClientDecoder({ protocolVersion, maximumPacketSize: 1_000 });
  const half = bytes.length >> 1;
  decoder.push(bytes.subarray(0, half));
  const early = decoder.next();
  decoder.push(bytes.subarray(half));
  return JSON.stringify(early ?? decoder.next(), (_name, value: unknown) =>
    value instanceof Uint8Array ? hexEncode(value) : value,
  );
}

async function sayTimes(say: Say): Promise<void> {
  const nonce = pattern(32);
  const timeMillis = 1_793_491_200_123;
  say("time-request", hexEncode(encodeTimeRequest(nonce)));
  const delegation = new Uint8Array(170);
  delegation.set(
    encodeDelegationMessage({
      publicKey: pattern(64),
      notBeforeMillis: timeMillis - 1_000,
      notAfterMillis: timeMillis + 86_400_000,
    }),
  );
  delegation.set(pattern(64, 1), 106);
  const answer = joinTimeAnswer(
    encodeTimeMessage({ nonce, timeMillis, radiusMillis: 250 }),
    pattern(64, 2),
    delegation,
  );
  say("time-answer", hexEncode(answer));
  // What the chip would be asked; it says yes to all.
  const verifyDigest = async (
    key: Uint8Array,
    digest: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> => {
    say("time-verify", `${hexEncode(key)} ${hexEncode(digest)} ${hexEncode(signature)}`);
    return true;
  };
  const expected = { nonce, pins: [pattern(64, 3)], roundTripMillis: 81.5, limitMillis: 1_000 };
  const verified = await verifyTimeAnswer(answer, expected, {
    verifier: { verifyDigest },
    sha256: createSha256(),
  });
  say("time", JSON.stringify(verified));
}

/** Bytes that differ from one another, none 0 and none 255. */
function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((i * 7 + start * 31) % 250);
  return bytes;
}

/** What `run` gives as text, or the refusal it throws: that is a vector as well. */
function outcomeOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && "code" in error) return `${error.name} ${String(error.code)}`;
    throw error;
  }
}

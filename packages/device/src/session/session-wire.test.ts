/**
 * What MQTT asks of a client beyond the common case, by the session machine alone: aliases, "not now", the pace, a network
 * that takes nothing, subscriptions that are not granted, and a bridge that repeats.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { ClientPacket, Properties, ProtocolVersion, ServerPacket } from "@mayfly/core/mqtt";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import { outgoingAliasesMax } from "./bridge-limits.ts";
import { againPauseMillis, againTimesMax } from "./refusal.ts";
import { Session } from "./session.ts";
import type { SessionOptions, SessionReport } from "./session-report.ts";
import { SessionState } from "./session-state.ts";
import { subscribeMillisFirst, subscribeTimesMax } from "./subscriptions.ts";
import { pubackMillisMax, unsentBytesMax } from "./uplink.ts";
import { type WireSettings, wireDefaults } from "./wire-settings.ts";

interface Arrangement {
  readonly version?: ProtocolVersion;
  readonly connack?: Properties;
  readonly wire?: Partial<WireSettings>;
  readonly options?: Partial<SessionOptions>;
  readonly state?: SessionState;
  readonly isPresent?: boolean;
  /** Codes of the SUBACK; absent: it is granted. */
  readonly suback?: readonly number[] | "none";
}

/** A session that was accepted at 0 ms. What it wrote up to then is forgotten. */
function arrange(arrangement: Arrangement = {}) {
  const { version = 5, connack, suback = [1, 1], state = new SessionState() } = arrangement;
  const decoder = new ServerDecoder({ maximumPacketSize: 1024 * 1024 });
  const written: ClientPacket[] = [];
  const sizes: number[] = [];
  const reports: SessionReport[] = [];
  const link = { buffered: 0 };
  const session = new Session(
    {
      protocolVersion: version,
      clientIdentifier: "projects/p/locations/l/registries/r/devices/lamp",
      device: "lamp",
      keepAliveSeconds: 1_200,
      cleanStart: true,
      authentication: version === 5 ? "method" : "password",
      wire: { ...wireDefaults, ...arrangement.wire },
      ...arrangement.options,
    },
    state,
    {
      write(bytes) {
        sizes.push(bytes.length);
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          written.push(structuredClone(packet));
        }
      },
      bufferedBytes: () => link.buffered,
      close: () => {},
      report: (report) => reports.push(report),
    },
  );
  const say = (packet: ServerPacket, at = 0): void =>
    session.receive(encodeServerPacket(packet, version), at);
  session.connect({ token: "a.b.c", userName: "mayfly/1" }, 0);
  const [connect] = written;
  const properties = version === 5 ? { authenticationMethod: "mayfly-jwt", ...connack } : undefined;
  say({
    type: "connack",
    sessionPresent: arrangement.isPresent ?? false,
    reasonCode: 0,
    ...(properties === undefined ? {} : { properties }),
  });
  const subscribe = written.find((packet) => packet.type === "subscribe");
  if (subscribe !== undefined && suback !== "none") {
    say({ type: "suback", packetIdentifier: subscribe.packetIdentifier, reasonCodes: suback });
  }
  written.length = 0;
  sizes.length = 0;
  const publishes = () => written.filter((packet) => packet.type === "publish");
  return { session, reports, written, sizes, say, link, connect, publishes, state };
}

const event = (text = "21.5", subfolder = "") => ({
  topic: `/devices/lamp/events${subfolder}`,
  payload: utf8Encode(text),
  qos: 1 as const,
});

/** As the bridge would understand them. */
function understand(packets: readonly Extract<ClientPacket, { type: "publish" }>[]): readonly string[] {
  const names = new Map<number, string>();
  return packets.map(({ topic, properties }) => {
    const alias = properties?.topicAlias;
    if (alias !== undefined && topic !== "") names.set(alias, topic);
    return topic === "" ? (names.get(alias ?? 0) ?? "unknown") : topic;
  });
}

test("where the bridge takes Topic Aliases, a Topic Name is written once for each connection", () => {
  const { session, publishes, sizes } = arrange({ connack: { topicAliasMaximum: 16 } });

  for (const message of [event(), event(), event("on", "/door"), event()]) session.publish(message, 0, 0);

  assert.deepEqual(
    publishes().map(({ topic, properties }) => [topic, properties?.topicAlias]),
    [
      ["/devices/lamp/events", 1],
      ["", 1],
      ["/devices/lamp/events/door", 2],
      ["", 1],
    ],
  );
  assert.equal((sizes[0] ?? 0) - (sizes[1] ?? 0), "/devices/lamp/events".length);
});

test("no more aliases than the bridge allows, nor more than eight; other names are written whole", () => {
  for (const [allowed, used] of [
    [0, 0],
    [3, 3],
    [65_535, outgoingAliasesMax],
  ]) {
    const { session, publishes } = arrange({ connack: { topicAliasMaximum: allowed ?? 0 } });
    const names = Array.from({ length: 12 }, (_, i) => `/s${i + 10}`);

    for (const name of [...names, ...names]) session.publish(event("", name), 0, 0);

    const aliases = new Set(publishes().flatMap(({ properties }) => properties?.topicAlias ?? []));
    assert.equal(aliases.size, used);
    assert.deepEqual(
      understand(publishes()),
      [...names, ...names].map((name) => `/devices/lamp/events${name}`),
    );
  }
});

test("a new token within the connection leaves its aliases, and a new connection has none", () => {
  const { session, say, publishes } = arrange({ connack: { topicAliasMaximum: 16 } });
  session.publish(event(), 0, 0);
  session.reauthenticate("next", 5_000, 10_000);
  say({ type: "auth", reasonCode: 0, properties: { authenticationMethod: "mayfly-jwt" } }, 10_050);
  session.publish(event(), 1, 10_100);
  const next = arrange({ connack: { topicAliasMaximum: 16 } });

  next.session.publish(event(), 2, 0);

  assert.deepEqual(
    [...publishes(), ...next.publishes()].map(({ topic }) => topic),
    ["/devices/lamp/events", "", "/devices/lamp/events"],
  );
});

test("a message that fits the bridge's Maximum Packet Size without an alias alone goes without", () => {
  const whole = arrange();
  whole.session.publish(event(), 0, 0);
  const { session, publishes, sizes } = arrange({
    connack: { topicAliasMaximum: 16, maximumPacketSize: whole.sizes[0] ?? 0 },
  });

  assert.equal(session.publish(event(), 0, 0), "written");

  assert.deepEqual([publishes()[0]?.properties, sizes[0]], [undefined, whole.sizes[0]]);
});

test("a message answered `quota exceeded` goes again under another Packet Identifier after a pause, ahead of the others", () => {
  const { session, say, publishes, reports } = arrange();
  session.publish(event("first"), 1, 0);
  const [first] = publishes();
  say({ type: "puback", packetIdentifier: first?.packetIdentifier ?? 0, reasonCode: 0x97 }, 100);
  const mayPublish = session.mayPublish(1, 200);
  const due = session.dueMillis ?? 0;

  session.tick(due);
  session.publish(event("second"), 2, due);
  const again = publishes()[1];
  say({ type: "puback", packetIdentifier: again?.packetIdentifier ?? 0, reasonCode: 0 }, due + 100);

  assert.equal(mayPublish, false);
  assert.equal(due, 100 + againPauseMillis);
  assert.deepEqual(
    publishes().map(({ payload, dup }) => [utf8Decode(payload), dup]),
    [
      ["first", false],
      ["first", false],
      ["second", false],
    ],
  );
  assert.notEqual(again?.packetIdentifier, first?.packetIdentifier);
  assert.deepEqual(
    reports.filter(({ kind }) => kind !== "accepted"),
    [
      { kind: "postponed", reasonCode: 0x97, retryMillis: againPauseMillis },
      { kind: "room" },
      { kind: "answered", key: 1, reasonCode: 0 },
    ],
  );
});

test("a message that is answered `quota exceeded` for ever is refused in the end, with the code", () => {
  const { session, say, publishes, reports } = arrange();
  let now = 0;
  session.publish(event(), 7, now);

  for (let i = 0; i < againTimesMax; i++) {
    const sent = publishes().at(-1);
    say({ type: "puback", packetIdentifier: sent?.packetIdentifier ?? 0, reasonCode: 0x97 }, now);
    now += 60_000;
    session.tick(now);
  }

  assert.equal(publishes().length, againTimesMax);
  assert.deepEqual(reports.at(-1), { kind: "answered", key: 7, reasonCode: 0x97 });
  assert.equal(session.inFlight, 0);
});

test("a window of messages answered `not now` together makes one pause, and leaves no room for more", () => {
  const { session, say, publishes } = arrange({ connack: { receiveMaximum: 3 } });
  for (let i = 0; i < 3; i++) session.publish(event(`${i}`), i, 0);

  for (const { packetIdentifier = 0 } of publishes().slice()) {
    say({ type: "puback", packetIdentifier, reasonCode: 0x80 }, 10);
  }
  const due = session.dueMillis ?? 0;
  const mayPublish = session.mayPublish(1, due - 1);
  session.tick(due);

  assert.equal(due, 10 + againPauseMillis);
  assert.equal(mayPublish, false);
  assert.deepEqual(
    publishes()
      .slice(3)
      .map(({ payload }) => utf8Decode(payload)),
    ["0", "1", "2"],
  );
});

test("a connection that owes a PUBACK for two minutes is given up, whatever else it answers", () => {
  const { session, say, publishes, reports } = arrange();
  session.publish(event("lost"), 1, 1_000);
  session.publish(event("taken"), 2, 60_000);
  say({ type: "puback", packetIdentifier: publishes()[1]?.packetIdentifier ?? 0, reasonCode: 0 }, 60_100);
  const due = session.dueMillis ?? 0;

  session.tick(due - 1);
  const early = reports.some(({ kind }) => kind === "ended");
  session.tick(due);

  assert.deepEqual([due, early], [1_000 + pubackMillisMax, false]);
  assert.deepEqual(reports.at(-1), { kind: "ended", because: "puback_timeout" });
});

test("a refusal for good is told with the bridge's words, and room is made at once", () => {
  const { session, say, publishes, reports } = arrange({ connack: { receiveMaximum: 1 } });
  session.publish(event(), 5, 0);

  const packetIdentifier = publishes()[0]?.packetIdentifier ?? 0;
  say({ type: "puback", packetIdentifier, reasonCode: 0x87, properties: { reasonString: "not\u0007yours" } });

  assert.deepEqual(reports.at(-1), { kind: "answered", key: 5, reasonCode: 0x87, reasonString: "not?yours" });
  assert.equal(session.mayPublish(1, 0), true);
});

test("what was postponed goes with a kept Session to the next connection, as new", () => {
  const state = new SessionState();
  const before = arrange({ state, options: { cleanStart: false } });
  before.session.publish(event(), 3, 0);
  const packetIdentifier = before.publishes()[0]?.packetIdentifier ?? 0;
  before.say({ type: "puback", packetIdentifier, reasonCode: 0x97 });

  arrange({ state, options: { cleanStart: false }, isPresent: true });

  assert.deepEqual([state.inFlight.size, state.postponed.length], [1, 0]);
  assert.equal(state.inFlight.has(packetIdentifier), false);
});

test("the pace holds messages back, and says when there is room again", () => {
  const { session, reports } = arrange({ wire: { messagesPerSecond: 10 } });
  let sent = 0;
  while (sent < 100 && session.mayPublish(0, 0)) session.publish({ ...event(), qos: 0 }, sent++, 0);

  const due = session.dueMillis ?? 0;
  session.tick(due - 1);
  const early = reports.some(({ kind }) => kind === "room");
  session.tick(due);

  assert.deepEqual([sent, due, early], [2, 100, false]);
  assert.deepEqual(reports.at(-1), { kind: "room" });
  assert.equal(session.mayPublish(0, due), true);
});

test("a network that takes nothing is given nothing more, at QoS 0 either", () => {
  const { session, link, reports } = arrange();
  link.buffered = unsentBytesMax + 1;

  const may = [session.mayPublish(0, 0), session.mayPublish(1, 0)];
  link.buffered = 0;
  session.tick(session.dueMillis ?? 0);

  assert.deepEqual(may, [false, false]);
  assert.deepEqual(reports.at(-1), { kind: "room" });
});

test("a subscription that is refused for now is asked for again, that one alone, in pauses that double", () => {
  const { session, say, written, reports } = arrange({ suback: [1, 0x97] });
  const at: number[] = [];

  for (let due = session.dueMillis; due !== undefined && at.length < 10; due = session.dueMillis) {
    session.tick(due);
    const last = written.at(-1);
    if (last?.type !== "subscribe") break;
    at.push(due);
    assert.deepEqual(
      last.subscriptions.map(({ topicFilter }) => topicFilter),
      ["/devices/lamp/commands/#"],
    );
    say({ type: "suback", packetIdentifier: last.packetIdentifier, reasonCodes: [0x97] }, due);
  }

  const pauses = at.map((due, i) => due - (at[i - 1] ?? 0));
  assert.deepEqual(
    pauses,
    [1, 2, 4, 8].map((times) => times * subscribeMillisFirst),
  );
  assert.equal(reports.filter(({ kind }) => kind === "subscription_refused").length, subscribeTimesMax);
});

test("a SUBSCRIBE without answer is sent again, a bounded number of times, and its late SUBACK is no error", () => {
  const { session, say, written, reports } = arrange({ suback: "none" });
  session.tick(session.dueMillis ?? 0);
  const [second] = written;
  assert.ok(second?.type === "subscribe");
  say({ type: "suback", packetIdentifier: 1, reasonCodes: [1, 1] }, 20_000);

  for (let i = 0; i < 4; i++) session.tick(session.dueMillis ?? 0);

  const subscribes = written.filter(({ type }) => type === "subscribe");
  assert.equal(subscribes.length, subscribeTimesMax - 1);
  assert.deepEqual(
    reports.flatMap((report) => (report.kind === "subscription_refused" ? [report.topicFilter] : [])),
    ["/devices/lamp/config", "/devices/lamp/commands/#"],
  );
  assert.equal(session.isAccepted, true);
});

test("a refusal for good is not asked again", () => {
  const { session, written } = arrange({ suback: [1, 0x87] });

  for (let i = 0; i < 5; i++) session.tick((session.dueMillis ?? 0) + 1);

  assert.deepEqual(
    written.filter(({ type }) => type === "subscribe"),
    [],
  );
});

test("a bridge without wildcards is asked for the commands that need none", () => {
  const { state, session } = arrange({ connack: { wildcardSubscriptionAvailable: 0 }, suback: "none" });

  const again = arrange({ connack: { wildcardSubscriptionAvailable: 0 }, suback: [1, 0x80] });
  again.session.tick(again.session.dueMillis ?? 0);

  assert.deepEqual([state.isSubscribed, session.isAccepted], [false, true]);
  const [subscribe] = again.written;
  assert.deepEqual(
    subscribe?.type === "subscribe" && subscribe.subscriptions.map(({ topicFilter }) => topicFilter),
    ["/devices/lamp/commands"],
  );
});

test("a Session that is gone at the bridge is subscribed again, and one that is there is not", () => {
  const state = new SessionState();
  arrange({ state, options: { cleanStart: false } });
  const present = arrange({ state, options: { cleanStart: false }, isPresent: true, suback: "none" });
  const isKept = state.isSubscribed;
  const gone = arrange({ state, options: { cleanStart: false }, isPresent: false, suback: "none" });

  assert.deepEqual([isKept, state.isSubscribed], [true, false]);
  assert.ok(
    (present.session.dueMillis ?? 0) > subscribeMillisFirst,
    "nothing is waited for but the keep-alive",
  );
  assert.equal(gone.session.dueMillis, subscribeMillisFirst);
});

test("a config that is asked for again is subscribed to alone, once at a time", () => {
  const { session, written } = arrange();

  session.askForConfig(1_000);
  session.askForConfig(1_001);

  assert.deepEqual(
    written.map((p) => p.type === "subscribe" && p.subscriptions.map(({ topicFilter }) => topicFilter)),
    [["/devices/lamp/config"]],
  );
});

const command = (packetIdentifier: number, extra: Partial<Extract<ServerPacket, { type: "publish" }>> = {}) =>
  ({
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: "/devices/lamp/commands",
    packetIdentifier,
    payload: utf8Encode("blink"),
    ...extra,
  }) as const;

test("a message repeated with DUP before it is acknowledged is handed over once and acknowledged once", () => {
  const { session, say, written, reports } = arrange({ version: 4 });
  say(command(9));
  say(command(9, { dup: true }));
  const handed = reports.filter((report) => report.kind === "command");
  const receipt = handed[0]?.kind === "command" ? handed[0].receipt : undefined;
  assert.ok(receipt !== undefined);

  session.settleDownlink(receipt, true, 0);

  assert.equal(handed.length, 1);
  assert.deepEqual(written, [{ type: "puback", packetIdentifier: 9, reasonCode: 0 }]);
});

test("a Packet Identifier that is used anew while it is owed ends the connection with 0x82", () => {
  const { say, written, reports } = arrange();

  say(command(9));
  say(command(9));

  assert.deepEqual(
    written.map((p) => p.type === "disconnect" && p.reasonCode),
    [0x82],
  );
  assert.deepEqual(reports.at(-1), { kind: "ended", because: "protocol_error" });
});

test("aliases of the bridge are taken up to what we announce, and above it end the connection with 0x94", () => {
  const { say, written, reports, connect } = arrange({ wire: { topicAliasMaximum: 2 } });
  say(command(1, { properties: { topicAlias: 2 } }));
  say(command(2, { topic: "", properties: { topicAlias: 2 } }));
  const handed = reports.filter(({ kind }) => kind === "command").length;

  say(command(3, { properties: { topicAlias: 3 } }));

  assert.equal(connect?.type === "connect" && connect.properties?.topicAliasMaximum, 2);
  assert.equal(handed, 2);
  assert.deepEqual(
    written.map((p) => p.type === "disconnect" && p.reasonCode),
    [0x94],
  );
});

test("by default no alias is announced, and one that comes all the same ends the connection", () => {
  const { say, written, connect } = arrange();

  say(command(1, { properties: { topicAlias: 1 } }));

  assert.equal(connect?.type === "connect" && connect.properties?.topicAliasMaximum, undefined);
  assert.deepEqual(
    written.map((p) => p.type === "disconnect" && p.reasonCode),
    [0x94],
  );
});

test("a packet above the Maximum Packet Size we announce ends the connection with 0x95", () => {
  const { say, written, connect } = arrange({ wire: { maximumPacketSize: 600 } });

  say(command(1, { payload: new Uint8Array(600) }));

  assert.equal(connect?.type === "connect" && connect.properties?.maximumPacketSize, 600);
  assert.deepEqual(
    written.map((p) => p.type === "disconnect" && p.reasonCode),
    [0x95],
  );
});

test("a kept Session of MQTT 5 is asked for with its Session Expiry Interval, and a clean one is not", () => {
  const kept = arrange({ options: { cleanStart: false }, wire: { sessionExpirySeconds: 600 } });
  const clean = arrange();

  const told = [kept, clean].map(
    ({ connect }) =>
      connect?.type === "connect" && [connect.cleanStart, connect.properties?.sessionExpiryInterval],
  );
  assert.deepEqual(told, [
    [false, 600],
    [true, undefined],
  ]);
});

test("a config says its version by User Property, and what is no whole number is no version", () => {
  const versions = ["7", "0", "-1", "7.5", "", "0x7", "007", "99999999999999999999"].map((value) => {
    const { say, reports } = arrange();
    say({
      ...command(1, { topic: "/devices/lamp/config" }),
      properties: { userProperties: [["config-version", value]] },
    });
    const report = reports.at(-1);
    return report?.kind === "config" ? report.version : "none";
  });

  assert.deepEqual(versions, [7, 0, ...Array.from({ length: 6 }, () => undefined)]);
});

test("a bridge that says Server Keep Alive 0 is still watched, at our own keep-alive", () => {
  const { session } = arrange({ connack: { serverKeepAlive: 0 } });

  assert.equal(session.dueMillis, 1_200_000 * 0.75);
});

test("why the bridge ends the connection, and where else it says to go, is told in its words", () => {
  const { say, reports } = arrange();

  say({
    type: "disconnect",
    reasonCode: 0x9d,
    properties: { reasonString: "moved", serverReference: "other.example:8883" },
  });

  assert.deepEqual(reports.at(-1), {
    kind: "ended",
    because: "bridge_disconnected",
    reasonCode: 0x9d,
    reasonString: "moved",
    serverReference: "other.example:8883",
  });
});

test("a packet that answers nothing of ours ends the connection with 0x82", () => {
  for (const packet of [
    { type: "pubrec", packetIdentifier: 1, reasonCode: 0 },
    { type: "pubrel", packetIdentifier: 1, reasonCode: 0 },
    { type: "pubcomp", packetIdentifier: 1, reasonCode: 0 },
    { type: "unsuback", packetIdentifier: 1, reasonCodes: [0] },
  ] as const) {
    const { say, written } = arrange();

    say(packet);

    const codes = written.map((p) => p.type === "disconnect" && p.reasonCode);
    assert.deepEqual(codes, [0x82], packet.type);
  }
});

test("properties without a meaning for a device change nothing", () => {
  const { say, reports, written, session } = arrange({
    connack: {
      ...{ responseInformation: "r", retainAvailable: 0, assignedClientIdentifier: "other" },
      ...{ subscriptionIdentifiersAvailable: 0, sharedSubscriptionAvailable: 0, sessionExpiryInterval: 5 },
    },
  });
  say(
    command(1, {
      retain: true,
      properties: {
        ...{ payloadFormatIndicator: 1, messageExpiryInterval: 1, contentType: "text/plain" },
        ...{ responseTopic: "elsewhere", correlationData: new Uint8Array([1]), subscriptionIdentifiers: [7] },
        userProperties: [["a", "b"]],
      },
    }),
  );
  session.publish(event(), 1, 0);
  const sent = written.find((packet) => packet.type === "publish");
  say({
    type: "puback",
    packetIdentifier: sent?.packetIdentifier ?? 0,
    reasonCode: 0,
    properties: { userProperties: [["a", "b"]] },
  });

  const [handed, answered] = reports.slice(-2);
  assert.equal(handed?.kind === "command" && utf8Decode(handed.payload), "blink");
  assert.deepEqual(answered, { kind: "answered", key: 1, reasonCode: 0 });
});

test("a bridge without QoS 1 is left, and why is told", () => {
  const { written, reports } = arrange({ connack: { maximumQoS: 0 }, suback: "none" });

  assert.deepEqual(reports, [{ kind: "ended", because: "not_served" }]);
  assert.deepEqual(written, []);
});

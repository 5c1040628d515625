import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import type { ClientPacket, ProtocolVersion, ServerPacket } from "@mayfly/core/mqtt";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import fc from "fast-check";
import { pingAnswerMillisMax } from "./keep-alive.ts";
import { connackMillisMax, Session } from "./session.ts";
import type { SessionOptions, SessionReport } from "./session-report.ts";
import { SessionState } from "./session-state.ts";
import { wireDefaults } from "./wire-settings.ts";

const clientIdentifier = "projects/p/locations/l/registries/reg/devices/lamp";
const order = { token: "head.claims.signature", userName: "mayfly/1" };

/** A session under test, with the bridge's ears and mouth. */
function arrange(
  protocolVersion: ProtocolVersion = 5,
  options: Partial<SessionOptions> = {},
  state = new SessionState(),
) {
  const decoder = new ServerDecoder({ maximumPacketSize: 1024 * 1024 });
  const reports: SessionReport[] = [];
  const written: ClientPacket[] = [];
  let closed = 0;
  const session = new Session(
    {
      protocolVersion,
      clientIdentifier,
      device: "lamp",
      keepAliveSeconds: 60,
      cleanStart: true,
      authentication: "password",
      wire: wireDefaults,
      ...options,
    },
    state,
    {
      write(bytes) {
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          written.push(structuredClone(packet));
        }
      },
      bufferedBytes: () => 0,
      close: () => {
        closed += 1;
      },
      report: (report) => reports.push(report),
    },
  );
  const say = (packet: ServerPacket, at = 0): void =>
    session.receive(encodeServerPacket(packet, protocolVersion), at);
  return { session, reports, written, say, closedTimes: () => closed };
}

function arrangeAccepted(
  protocolVersion: ProtocolVersion = 5,
  properties: NonNullable<Extract<ServerPacket, { type: "connack" }>["properties"]> = {},
  options: Parameters<typeof arrange>[1] = {},
) {
  const all = arrange(protocolVersion, options);
  all.session.connect(order, 0);
  all.say({
    type: "connack",
    sessionPresent: false,
    reasonCode: 0,
    ...(protocolVersion === 5 ? { properties } : {}),
  });
  all.say({ type: "suback", packetIdentifier: 1, reasonCodes: [1, 1] });
  all.written.length = 0;
  all.reports.length = 0;
  return all;
}

const message = { topic: "/devices/lamp/events", payload: utf8Encode("21.5"), qos: 1 } as const;

test("CONNECT carries the device's name, our mark, the token and, in MQTT 5, what we can take", () => {
  const { session, written } = arrange(5);

  session.connect(order, 0);

  const [connect] = written;
  assert.equal(connect?.type, "connect");
  assert.equal(connect.clientIdentifier, clientIdentifier);
  assert.equal(connect.userName, "mayfly/1");
  assert.equal(connect.cleanStart, true);
  assert.equal(connect.keepAlive, 60);
  assert.deepEqual(connect.password, utf8Encode("head.claims.signature"));
  assert.equal(connect.properties?.receiveMaximum, wireDefaults.receiveMaximum);
  assert.equal(connect.properties?.maximumPacketSize, wireDefaults.maximumPacketSize);
});

test("an accepted session subscribes to config and commands at QoS 1", () => {
  const { session, written, reports, say } = arrange(4);
  session.connect(order, 0);

  say({ type: "connack", sessionPresent: false, reasonCode: 0 });

  const subscribe = written[1];
  assert.equal(subscribe?.type, "subscribe");
  assert.deepEqual(
    subscribe.subscriptions.map((s) => [s.topicFilter, s.qos]),
    [
      ["/devices/lamp/config", 1],
      ["/devices/lamp/commands/#", 1],
    ],
  );
  assert.deepEqual(reports, [{ kind: "accepted", isResumed: false, resent: 0, hints: {} }]);
});

test("a refusing CONNACK is reported with its code, and the link is closed", () => {
  const { session, reports, say, closedTimes } = arrange(4);
  session.connect(order, 0);

  say({ type: "connack", sessionPresent: false, reasonCode: 5 });

  assert.deepEqual(reports, [
    { kind: "refused", reasonCode: 5 },
    { kind: "ended", because: "bridge_disconnected", reasonCode: 5 },
  ]);
  assert.equal(closedTimes(), 1);
});

test("what a refusing bridge says of its time comes with the instants between which it was written", () => {
  const { session, reports, say } = arrange(5);
  session.connect(order, 1_000);

  say(
    {
      type: "connack",
      sessionPresent: false,
      reasonCode: 0x87,
      properties: { reasonString: "token_expired", userProperties: [["server-time", "1700000000.250"]] },
    },
    1_080,
  );

  assert.deepEqual(reports[0], {
    kind: "refused",
    reasonCode: 0x87,
    hint: { serverTime: 1_700_000_000.25, sentMillis: 1_000, receivedMillis: 1_080 },
    refusedFor: "token_expired",
    reasonString: "token_expired",
  });
});

test("a DISCONNECT says whether it was for the token's time, and any other Reason String says nothing", () => {
  const endedFor = (reasonString: string) => {
    const { reports, say } = arrangeAccepted(5);
    say({ type: "disconnect", reasonCode: 0x87, properties: { reasonString } });
    return reports.map((report) => (report.kind === "ended" ? report.refusedFor : report.kind));
  };

  assert.deepEqual(endedFor("token_from_future"), ["token_from_future"]);
  assert.deepEqual(endedFor("key_expired"), [undefined]);
});

test("a bridge that does not answer CONNECT is left at the deadline and not before", () => {
  const { session, reports } = arrange();
  session.connect(order, 1_000);

  session.tick(1_000 + connackMillisMax - 1);
  assert.deepEqual(reports, []);
  session.tick(1_000 + connackMillisMax);

  assert.deepEqual(reports, [{ kind: "ended", because: "connack_timeout" }]);
});

test("a session that should be clean and is said to be present is a protocol error", () => {
  const { session, reports, say } = arrange(5);
  session.connect(order, 0);

  say({ type: "connack", sessionPresent: true, reasonCode: 0 });

  assert.deepEqual(reports, [{ kind: "ended", because: "protocol_error" }]);
});

test("a QoS 1 message is sent without DUP and answered by its PUBACK, by the caller's key", () => {
  const { session, written, reports, say } = arrangeAccepted();

  session.publish(message, 77, 10);
  const sent = written[0];
  assert.equal(sent?.type, "publish");
  say({ type: "puback", packetIdentifier: sent.packetIdentifier ?? 0, reasonCode: 0 }, 20);

  assert.equal(sent.dup, false);
  assert.deepEqual(reports, [{ kind: "answered", key: 77, reasonCode: 0 }]);
  assert.equal(session.inFlight, 0);
});

test("the message id travels as User Property `id` in MQTT 5 and nowhere in 3.1.1", () => {
  const five = arrangeAccepted(5);
  const four = arrangeAccepted(4);

  five.session.publish({ ...message, messageId: "m-1" }, 0, 0);
  four.session.publish({ ...message, messageId: "m-1" }, 0, 0);

  const [inFive, inFour] = [five.written[0], four.written[0]];
  assert.ok(inFive?.type === "publish" && inFour?.type === "publish");
  assert.deepEqual(inFive.properties?.userProperties, [["id", "m-1"]]);
  assert.equal(inFour.properties?.userProperties, undefined);
});

test("no more QoS 1 messages are in flight than the bridge's Receive Maximum", () => {
  const { session, say, written } = arrangeAccepted(5, { receiveMaximum: 2 });

  session.publish(message, 0, 0);
  assert.equal(session.mayPublish(1, 0), true);
  session.publish(message, 1, 0);

  assert.equal(session.mayPublish(1, 0), false);
  assert.equal(session.mayPublish(0, 0), true);
  const first = written[0];
  assert.ok(first?.type === "publish");
  say({ type: "puback", packetIdentifier: first.packetIdentifier ?? 0, reasonCode: 0 });
  assert.equal(session.mayPublish(1, 0), true);
});

test("a bridge without a Receive Maximum gets no more than our own bound in flight", () => {
  const { session } = arrangeAccepted(4);
  let sent = 0;

  while (session.mayPublish(1, 0)) session.publish(message, sent++, 0);

  assert.equal(sent, wireDefaults.inFlightMaximum);
});

test("a device that has room for four has four in flight, whatever more the bridge allows", () => {
  const wire = { ...wireDefaults, inFlightMaximum: 4 };
  const { session, say, written } = arrangeAccepted(5, { receiveMaximum: 10 }, { wire });
  let sent = 0;

  while (session.mayPublish(1, 0)) session.publish(message, sent++, 0);

  assert.equal(sent, 4);
  const first = written[0];
  assert.ok(first?.type === "publish");
  say({ type: "puback", packetIdentifier: first.packetIdentifier ?? 0, reasonCode: 0 });
  assert.equal(session.mayPublish(1, 0), true);
});

test("a message above the bridge's Maximum Packet Size is not sent", () => {
  const { session, written } = arrangeAccepted(5, { maximumPacketSize: 64 });

  const answer = session.publish({ ...message, payload: new Uint8Array(64) }, 0, 0);

  assert.equal(answer, "too_large");
  assert.deepEqual(written, []);
  assert.equal(session.inFlight, 0);
});

test("packet identifiers never repeat while in flight, however many have gone before", () => {
  const { session, written, say } = arrangeAccepted(5);
  session.publish(message, 0, 0);
  const stuck = written[0];
  assert.ok(stuck?.type === "publish");

  for (let i = 1; i <= 70_000; i++) {
    written.length = 0;
    session.publish(message, i, 0);
    const next = written[0];
    assert.ok(next?.type === "publish" && next.packetIdentifier !== stuck.packetIdentifier);
    say({ type: "puback", packetIdentifier: next.packetIdentifier ?? 0, reasonCode: 0 });
  }

  assert.equal(session.inFlight, 1);
});

test("an idle session sends PINGREQ within the keep-alive, and goes on when PINGRESP comes", () => {
  const { session, written, say, reports } = arrangeAccepted();
  const due = session.dueMillis;
  assert.ok(due !== undefined && due < 60_000);

  session.tick(due);
  say({ type: "pingresp" }, due + 50);

  assert.deepEqual(written, [{ type: "pingreq" }]);
  assert.deepEqual(reports, []);
  assert.ok((session.dueMillis ?? 0) > due + pingAnswerMillisMax);
});

test("without PINGRESP the connection is given up at the deadline", () => {
  const { session, reports, closedTimes } = arrangeAccepted();
  const due = session.dueMillis ?? 0;
  session.tick(due);

  session.tick(due + pingAnswerMillisMax);

  assert.deepEqual(reports, [{ kind: "ended", because: "ping_timeout" }]);
  assert.equal(closedTimes(), 1);
});

test("the bridge's Server Keep Alive replaces ours", () => {
  const { session } = arrangeAccepted(5, { serverKeepAlive: 10 });

  const due = session.dueMillis ?? Number.POSITIVE_INFINITY;

  assert.ok(due < 10_000);
});

test("config and commands are told apart, and each is acknowledged once handled, in order of arrival", () => {
  const { session, written, reports, say } = arrangeAccepted(4);
  const common = { type: "publish", dup: false, qos: 1, retain: false } as const;
  say({ ...common, topic: "/devices/lamp/config", packetIdentifier: 7, payload: utf8Encode("on") });
  say({ ...common, topic: "/devices/lamp/commands/a/b", packetIdentifier: 8, payload: utf8Encode("go") });

  const [first, second] = reports.map((r) => ("receipt" in r ? r.receipt : undefined));
  assert.ok(first !== undefined && second !== undefined);

  session.settleDownlink(second, true, 0);
  assert.equal(written.length, 0);
  session.settleDownlink(first, true, 0);

  assert.deepEqual(
    reports.map((r) => (r.kind === "config" || r.kind === "command" ? [r.kind, r.subfolder] : r.kind)),
    [
      ["config", ""],
      ["command", "a/b"],
    ],
  );
  assert.deepEqual(
    written.map((p) => p.type === "puback" && p.packetIdentifier),
    [7, 8],
  );
});

test("a failed handler says so in MQTT 5 and withholds the PUBACK in 3.1.1", () => {
  const five = arrangeAccepted(5);
  const four = arrangeAccepted(4);
  for (const { session, say, reports } of [five, four]) {
    say({
      type: "publish",
      dup: false,
      qos: 1,
      retain: false,
      topic: "/devices/lamp/config",
      packetIdentifier: 3,
      payload: new Uint8Array(0),
    });
    const [report] = reports;
    assert.ok(report?.kind === "config" && report.receipt !== undefined);
    session.settleDownlink(report.receipt, false, 0);
  }

  assert.deepEqual(
    five.written.map((p) => p.type === "puback" && p.reasonCode),
    [0x83],
  );
  assert.deepEqual(four.written, []);
});

test("more unhandled messages than our Receive Maximum end the connection with 0x93", () => {
  const { written, reports, say } = arrangeAccepted(5);

  for (let packetIdentifier = 1; packetIdentifier <= wireDefaults.receiveMaximum + 1; packetIdentifier++) {
    say({
      type: "publish",
      dup: false,
      qos: 1,
      retain: false,
      topic: "/devices/lamp/commands",
      packetIdentifier,
      payload: new Uint8Array(0),
    });
  }

  assert.deepEqual(
    written.map((p) => p.type === "disconnect" && p.reasonCode),
    [0x93],
  );
  assert.deepEqual(reports.at(-1), { kind: "ended", because: "protocol_error" });
});

test("a refused subscription is reported by its Topic Filter", () => {
  const { session, written, reports, say } = arrange(4);
  session.connect(order, 0);
  say({ type: "connack", sessionPresent: false, reasonCode: 0 });
  const subscribe = written[1];
  assert.ok(subscribe?.type === "subscribe");

  say({ type: "suback", packetIdentifier: subscribe.packetIdentifier, reasonCodes: [1, 0x80] });

  assert.deepEqual(reports.at(-1), {
    kind: "subscription_refused",
    topicFilter: "/devices/lamp/commands/#",
    reasonCode: 0x80,
  });
});

test("leaving sends DISCONNECT, closes, and nothing is reported afterwards", () => {
  const { session, written, reports, closedTimes } = arrangeAccepted();

  session.disconnect(0);
  session.linkClosed();

  assert.deepEqual(
    written.map((p) => p.type),
    ["disconnect"],
  );
  assert.deepEqual(reports, []);
  assert.equal(closedTimes(), 1);
});

test("whatever bytes come, in whatever pieces, the session throws nothing and ends at most once", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  const starts = fc.constantFrom("idle", "accepted", "AUTH under way");
  fc.assert(
    fc.property(pieces, starts, fc.constantFrom<ProtocolVersion>(4, 5), (chunks, start, version) => {
      const { session, reports, say } = arrange(version, {
        authentication: version === 5 ? "method" : "password",
      });
      session.connect(order, 0);
      if (start !== "idle") {
        say({
          type: "connack",
          sessionPresent: false,
          reasonCode: 0,
          ...(version === 5 ? { properties: { authenticationMethod: "mayfly-jwt" } } : undefined),
        });
      }
      if (start === "AUTH under way" && session.mayReauthenticate(10_000)) {
        session.reauthenticate("next", 5_000, 10_000);
      }

      for (const chunk of chunks) session.receive(chunk, 10_000);

      assert.ok(reports.filter((r) => r.kind === "ended").length <= 1);
    }),
  );
});

test("the reports of an AUTH leave at its limit and with its answer, and PINGREQ is still sent in its time", () => {
  const { session, reports, written, say } = arrange(5, { authentication: "method" });
  const properties = { authenticationMethod: "mayfly-jwt" };
  session.connect(order, 0);
  say({ type: "connack", sessionPresent: false, reasonCode: 0, properties });
  say({ type: "suback", packetIdentifier: 1, reasonCodes: [1, 1] });
  reports.length = 0;

  session.reauthenticate("next", 60_000, 10_000);
  const due = session.dueMillis ?? 0;
  session.tick(due);
  say({ type: "auth", reasonCode: 0, properties }, 50_000);

  assert.equal(written.at(-1)?.type, "pingreq");
  assert.ok(due < 60_000);
  assert.deepEqual(reports, [{ kind: "reauthenticated", hints: {} }]);
});

test("a session that is held sends nothing, and catches up when it is released", () => {
  const { session, written, say, reports } = arrangeAccepted(4);
  say({
    type: "publish",
    dup: false,
    qos: 1,
    retain: false,
    topic: "/devices/lamp/config",
    packetIdentifier: 3,
    payload: new Uint8Array(0),
  });
  const [report] = reports;
  assert.ok(report?.kind === "config" && report.receipt !== undefined);

  session.hold();
  session.settleDownlink(report.receipt, true, 1_000);
  const held = [written.length, session.mayPublish(1, 0), session.dueMillis];
  session.release(2_000);

  assert.deepEqual(held, [0, false, undefined]);
  assert.deepEqual(written, [{ type: "puback", packetIdentifier: 3, reasonCode: 0 }]);
  assert.equal(session.mayPublish(1, 0), true);
  assert.notEqual(session.dueMillis, undefined);
});

/**
 * Renewal by handover in MQTT 3.1.1: what the agent sends where, against a script that keeps the Session.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { ClientPacket } from "@mayfly/core/mqtt";
import type { AgentHandlers } from "@mayfly/device";
import { accepted, arrangeScript, type ScriptedLink } from "./arrange-script.ts";

/** A minute's tokens; the first renewal 20 s after the start. */
const options = {
  protocolVersion: 4,
  cleanSession: false,
  lifetimeSeconds: 60,
  lifetimeFloorSeconds: 60,
  firstRenewalAfterSeconds: 20,
} as const;
const present = { ...accepted, sessionPresent: true } as const;

interface Conduct {
  /** Answers the second CONNECT; absent: Session Present at once. */
  readonly second?: (link: ScriptedLink, first: ScriptedLink) => void;
  /** Answers a PUBLISH; absent: no PUBLISH is acknowledged. */
  readonly publish?: (packet: Extract<ClientPacket, { type: "publish" }>, link: ScriptedLink) => void;
}

function arrange(conduct: Conduct = {}, handlers: AgentHandlers = {}) {
  const arranged = arrangeScript(
    (packet, link) => {
      if (packet.type === "publish") {
        conduct.publish?.(packet, link);
        return "taken";
      }
      if (packet.type !== "connect" || link.number !== 2) return "default";
      const [first] = arranged.links;
      assert.ok(first !== undefined);
      if (conduct.second === undefined) link.say(present);
      else conduct.second(link, first);
      return "taken";
    },
    options,
    handlers,
  );
  /** What came on one connection, in short. */
  const told = (link: number): readonly string[] =>
    arranged.heard
      .filter((one) => one.link === link)
      .map(({ packet }) => {
        if (packet.type === "publish") {
          return `publish ${packet.packetIdentifier} ${utf8Decode(packet.payload)}${packet.dup ? " dup" : ""}`;
        }
        return packet.type === "puback" ? `puback ${packet.packetIdentifier}` : packet.type;
      });
  return { ...arranged, told };
}

const acknowledge: Conduct["publish"] = ({ packetIdentifier = 0 }, link) =>
  link.say({ type: "puback", packetIdentifier, reasonCode: 0 });

const downlink = (packetIdentifier: number, text: string, dup = false) =>
  ({
    type: "publish",
    dup,
    qos: 1,
    retain: false,
    topic: "/devices/lamp/commands",
    packetIdentifier,
    payload: utf8Encode(text),
  }) as const;

test("both CONNECTs have Clean Session 0; the second says handover, and what is unacknowledged goes out again on it first, with DUP and its identifiers", async () => {
  const { world, agent, told, of, publish } = arrange({
    publish: (packet, link) => {
      if (link.number === 2 || utf8Decode(packet.payload) === "a") acknowledge(packet, link);
    },
  });
  const acknowledged: string[] = [];

  agent.start();
  await world.run(19_000);
  for (const text of ["a", "b", "c"]) publish(text, acknowledged);
  await world.run(1_500);
  publish("d", acknowledged);
  await world.run(100);

  const connects = of("connect").map(({ packet }) => [packet.cleanStart, packet.userName]);
  assert.deepEqual(connects, [
    [false, "mayfly/1"],
    [false, "mayfly/1 handover"],
  ]);
  assert.deepEqual(told(1), [
    "connect",
    "subscribe",
    "publish 2 a",
    "publish 3 b",
    "publish 4 c",
    "disconnect",
  ]);
  assert.deepEqual(told(2), ["connect", "publish 3 b dup", "publish 4 c dup", "publish 5 d"]);
  assert.deepEqual(acknowledged, ["a", "b", "c", "d"]);
  assert.deepEqual(agent.status().renewalsBy, { reauthentication: 0, handover: 1, reconnect: 0 });
  assert.equal(agent.status().resent, 2);
});

test("nothing leaves on the old connection between the new CONNECT and its CONNACK, and DISCONNECT follows", async () => {
  const { world, agent, told, heard, publish } = arrange({
    publish: acknowledge,
    second: (link, first) => {
      first.say(downlink(9, "while frozen"));
      world.timers.after(2_000, () => link.say(present));
    },
  });

  agent.start();
  await world.run(20_500);
  publish("waits", []);
  await world.run(1_000);
  const before = told(1);
  await world.run(3_000);

  assert.deepEqual(before, ["connect", "subscribe"]);
  assert.deepEqual(told(1), ["connect", "subscribe", "disconnect"]);
  assert.deepEqual(told(2), ["connect", "publish 2 waits"]);
  const [connackTo, disconnected] = [
    heard.find(({ link, packet }) => link === 2 && packet.type === "connect"),
    heard.find(({ link, packet }) => link === 1 && packet.type === "disconnect"),
  ];
  assert.ok(connackTo !== undefined && disconnected !== undefined);
  assert.ok(disconnected.atMillis >= connackTo.atMillis + 2_000);
});

test("a PUBACK that comes on the old connection before the CONNACK settles its message, and one that comes later settles nothing", async () => {
  const { world, agent, told, publish } = arrange({
    second: (link, first) => {
      first.say({ type: "puback", packetIdentifier: 2, reasonCode: 0 });
      // Behind the CONNACK, yet on the old wire: sent again meanwhile, its identifier is the new connection's.
      world.timers.after(100, () => {
        link.say(present);
        first.say({ type: "puback", packetIdentifier: 3, reasonCode: 0 });
      });
    },
  });
  const acknowledged: string[] = [];

  agent.start();
  await world.run(19_900);
  for (const text of ["early", "late"]) publish(text, acknowledged);
  await world.run(3_000);

  assert.deepEqual(acknowledged, ["early"]);
  assert.deepEqual(told(2), ["connect", "publish 3 late dup"]);
  assert.equal(agent.status().queuedMessages, 1);
});

test("a command handled before the handover is acknowledged when it comes again, and not handed over twice", async () => {
  const handled: string[] = [];
  const { world, agent, told, links } = arrange(
    {
      second: (link, first) => {
        // Handled at once, yet the old connection must not answer any more.
        first.say(downlink(9, "blink"));
        world.timers.after(50, () => {
          link.say(present);
          link.say(downlink(9, "blink", true));
        });
      },
    },
    { command: (payload) => void handled.push(utf8Decode(payload)) },
  );

  agent.start();
  await world.run(22_000);

  assert.deepEqual(handled, ["blink"]);
  assert.deepEqual(told(1), ["connect", "subscribe", "disconnect"]);
  assert.deepEqual(told(2), ["connect", "puback 9"]);
  assert.equal(links.length, 2);
});

test("a handler that is still at work during the handover has its command acknowledged on the new connection", async () => {
  const handled: string[] = [];
  let finish: () => void = () => {};
  const { world, agent, told, links } = arrange(
    {
      second: (link) => {
        link.say(present);
        link.say(downlink(7, "slow", true));
      },
    },
    {
      command: (payload) => {
        handled.push(utf8Decode(payload));
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    },
  );

  agent.start();
  world.timers.after(19_000, () => links[0]?.say(downlink(7, "slow")));
  await world.run(22_000);
  const before = told(2);
  finish();
  await world.run(100);

  assert.deepEqual(before, ["connect"]);
  assert.deepEqual(told(2), ["connect", "puback 7"]);
  assert.deepEqual(handled, ["slow"]);
});

test("a command whose handler failed is handed over again when it comes again", async () => {
  const handled: string[] = [];
  const { world, agent, told, links } = arrange(
    {
      second: (link) => {
        link.say(present);
        link.say(downlink(7, "blink", true));
      },
    },
    {
      command: (payload) => {
        handled.push(utf8Decode(payload));
        if (handled.length === 1) throw new TypeError("not yet");
      },
    },
  );

  agent.start();
  world.timers.after(19_000, () => links[0]?.say(downlink(7, "blink")));
  await world.run(22_000);

  assert.deepEqual(handled, ["blink", "blink"]);
  assert.deepEqual(told(2), ["connect", "puback 7"]);
});

test("an identifier that comes without DUP is a new command, whatever had it before", async () => {
  const handled: string[] = [];
  const { world, agent, told } = arrange(
    {
      second: (link, first) => {
        first.say(downlink(9, "old"));
        world.timers.after(50, () => {
          link.say(present);
          link.say(downlink(9, "new"));
        });
      },
    },
    { command: (payload) => void handled.push(utf8Decode(payload)) },
  );

  agent.start();
  await world.run(22_000);

  assert.deepEqual(handled, ["old", "new"]);
  assert.deepEqual(told(2), ["connect", "puback 9"]);
});

test("a bridge that has not kept the Session is subscribed to again and given what is unacknowledged as new", async () => {
  const { world, agent, told, publish } = arrange({
    second: (link) => link.say(accepted),
    publish: (packet, link) => {
      if (link.number === 2) acknowledge(packet, link);
    },
  });
  const acknowledged: string[] = [];

  agent.start();
  await world.run(19_000);
  publish("a", acknowledged);
  await world.run(2_000);

  assert.deepEqual(told(2), ["connect", "subscribe", "publish 4 a"]);
  assert.deepEqual(acknowledged, ["a"]);
  assert.deepEqual(agent.status().renewalsBy, { reauthentication: 0, handover: 0, reconnect: 1 });
});

test("a handover that is refused leaves the old connection as it was: held answers leave, and publishing goes on", async () => {
  const handled: string[] = [];
  const { world, agent, told, publish } = arrange(
    {
      publish: acknowledge,
      second: (link, first) => {
        first.say(downlink(9, "blink"));
        world.timers.after(50, () => link.say({ ...accepted, reasonCode: 3 }));
      },
    },
    { command: (payload) => void handled.push(utf8Decode(payload)) },
  );
  const acknowledged: string[] = [];

  agent.start();
  await world.run(20_150);
  publish("b", acknowledged);
  await world.run(150);

  assert.deepEqual(handled, ["blink"]);
  assert.deepEqual(told(1), ["connect", "subscribe", "puback 9", "publish 2 b"]);
  assert.deepEqual(acknowledged, ["b"]);
});

test("after a broken link the Session goes on with an ordinary CONNECT, and what was in flight goes out again", async () => {
  const { world, agent, told, of, publish, dialer } = arrange({
    publish: (packet, link) => {
      if (link.number === 2) acknowledge(packet, link);
    },
  });
  const acknowledged: string[] = [];

  agent.start();
  await world.run(1_000);
  publish("a", acknowledged);
  await world.run(100);
  dialer.cut("ECONNRESET");
  await world.run(6_000);

  assert.equal(of("connect")[1]?.packet.userName, "mayfly/1");
  assert.deepEqual(told(2), ["connect", "publish 2 a dup"]);
  assert.deepEqual(acknowledged, ["a"]);
  assert.equal(agent.status().renewals, 0);
});

test("an agent that was just started subscribes, also where the bridge has kept a Session of its device", async () => {
  const arranged = arrangeScript((packet, link) => {
    if (packet.type !== "connect") return "default";
    link.say(present);
    return "taken";
  }, options);

  arranged.agent.start();
  await arranged.world.run(1_000);

  assert.deepEqual(
    arranged.heard.map(({ packet }) => packet.type),
    ["connect", "subscribe"],
  );
  assert.equal(arranged.agent.status().renewal, "handover");
});

test("what is in flight has 250 ms to be acknowledged before the new CONNECT, and no longer", async () => {
  const connectAfter = async (ackMillis: number | undefined): Promise<number> => {
    const { world, agent, of, publish } = arrange({
      publish: (packet, link) => {
        if (ackMillis !== undefined) world.timers.after(ackMillis, () => acknowledge(packet, link));
      },
    });
    agent.start();
    // Two round trips of 10 ms open the link: it is up at 20.02 s.
    await world.run(20_015);
    publish("on its way", []);
    await world.run(2_000);
    return Math.round((of("connect")[1]?.atMillis ?? 0) - 20_000);
  };

  const [never, soon] = [await connectAfter(undefined), await connectAfter(100)];

  assert.ok(never >= 270 && never <= 280, `${never} ms`);
  assert.ok(soon >= 125 && soon <= 135, `${soon} ms`);
});

test("an agent that was stopped and is started again sends nothing of what it gave up, and subscribes", async () => {
  const { world, agent, told, publish } = arrange();

  agent.start();
  await world.run(1_000);
  publish("given up", []);
  await world.run(100);
  agent.stop();
  await world.run(100);
  agent.start();
  await world.run(1_000);

  assert.deepEqual(told(1), ["connect", "subscribe", "publish 2 given up", "disconnect"]);
  assert.deepEqual(told(2), ["connect", "subscribe"]);
});

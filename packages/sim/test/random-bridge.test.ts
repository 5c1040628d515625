/**
 * The agent against a bridge that does at random whatever MQTT lets it do: PUBACKs late, out of order, twice, for nothing
 * and with any Reason Code; messages repeated; refusals; connections closed at any moment, Sessions kept and forgotten.
 *
 * What it watches is what MQTT asks of a client, and that no message is lost: a breach, or a message that is neither
 * settled nor kept, fails with the seed. `liveWith("seed", "manner")` replays it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { ClientPacket } from "@mayfly/core/mqtt";
import type { AgentOptions } from "@mayfly/device";
import { createRandom } from "../src/random.ts";
import { accepted, arrangeScript, type ScriptedLink } from "./arrange-script.ts";

const minute = { lifetimeSeconds: 60, lifetimeFloorSeconds: 60, keepAliveSeconds: 10 } as const;
const manners = {
  v5: { ...minute, protocolVersion: 5 },
  "v5, Session kept": { ...minute, protocolVersion: 5, cleanSession: false },
  v4: { ...minute, protocolVersion: 4 },
  "v4, Session kept": { ...minute, protocolVersion: 4, cleanSession: false },
} as const satisfies Record<string, Partial<AgentOptions>>;
type Manner = keyof typeof manners;

const receiveMaximum = 5;
const topicAliasMaximum = 2;
const messages = 150;
const roughMillis = 300_000;

/** What the bridge knows of one link. */
interface Peer {
  readonly link: ScriptedLink;
  readonly aliases: Map<number, string>;
  /** Commands sent on it and not acknowledged. */
  readonly owed: Set<number>;
  isOver: boolean;
}

async function liveWith(seed: string, manner: Manner) {
  const options: Partial<AgentOptions> = manners[manner];
  const isFive = options.protocolVersion === 5;
  const isKept = options.cleanSession === false;
  const random = createRandom(`${seed}/bridge`);
  const chance = (percent: number): boolean => random.between(1, 100) <= percent;
  const breaches: string[] = [];
  /** PUBLISHes without PUBACK, by Packet Identifier: of the connection, or of the Session where it is kept. */
  let inFlight = new Map<number, string>();
  const taken = new Set<string>();
  const refused = new Set<string>();
  let hasSession = false;
  let isCalm = false;
  let current: Peer | undefined;
  let lastCommand = 0;
  const peers = new Map<number, Peer>();

  const answer = (peer: Peer, packetIdentifier: number, text: string): void => {
    if (peer.isOver) return;
    const isFirst = inFlight.get(packetIdentifier) === text;
    inFlight.delete(packetIdentifier);
    const code =
      !isFive || isCalm || chance(80) ? 0 : ([0x10, 0x80, 0x97, 0x87] as const)[random.between(0, 3)];
    if (code === 0 || code === 0x10) taken.add(text);
    else if (code === 0x87 && isFirst) refused.add(text);
    peer.link.say({ type: "puback", packetIdentifier, reasonCode: code ?? 0 });
    // A second PUBACK for the same is of no effect while nothing new has the identifier; so it comes at once.
    if (!isCalm && chance(5)) peer.link.say({ type: "puback", packetIdentifier, reasonCode: 0 });
  };

  const takePublish = (packet: Extract<ClientPacket, { type: "publish" }>, peer: Peer): void => {
    const { packetIdentifier = 0, properties, dup } = packet;
    const alias = properties?.topicAlias;
    if (alias !== undefined && alias > topicAliasMaximum) breaches.push(`alias ${alias}`);
    if (alias !== undefined && packet.topic !== "") peer.aliases.set(alias, packet.topic);
    const topic = packet.topic === "" ? peer.aliases.get(alias ?? 0) : packet.topic;
    const text = utf8Decode(packet.payload);
    if (topic !== `/devices/lamp/events/s${text.length}`) breaches.push(`${text} on ${topic}`);
    const before = inFlight.get(packetIdentifier);
    if (before !== undefined && (!dup || before !== text)) {
      breaches.push(`identifier ${packetIdentifier} of ${before} given to ${text}, DUP ${dup}`);
    }
    if (dup && !isKept) breaches.push("DUP in a clean Session");
    inFlight.set(packetIdentifier, text);
    if (inFlight.size > (isFive ? receiveMaximum : 20)) breaches.push(`${inFlight.size} in flight`);
    if (chance(3) && !isCalm) {
      peer.isOver = true;
      peer.link.close();
      return;
    }
    // Rarely never, as Cloud IoT Core did when it was out of buffers.
    if (!isCalm && chance(2)) return;
    arranged.world.timers.after(random.between(0, isCalm ? 5 : 400), () =>
      answer(peer, packetIdentifier, text),
    );
  };

  const sendCommand = (peer: Peer): void => {
    lastCommand = (lastCommand % 60_000) + 1;
    if (peer.owed.size >= 10) return;
    const packet = {
      type: "publish",
      qos: 1,
      retain: false,
      topic: "/devices/lamp/commands",
      packetIdentifier: lastCommand,
      payload: utf8Encode("blink"),
    } as const;
    peer.owed.add(lastCommand);
    peer.link.say({ ...packet, dup: false });
    if (chance(30)) peer.link.say({ ...packet, dup: true });
  };

  const takeConnect = (link: ScriptedLink): void => {
    if (!isCalm && chance(15)) {
      if (chance(50)) link.close();
      else link.say({ type: "connack", sessionPresent: false, reasonCode: isFive ? 0x89 : 3 });
      return;
    }
    if (current !== undefined) {
      current.isOver = true;
      current.link.close();
    }
    const sessionPresent = isKept && hasSession && chance(70);
    if (!sessionPresent) inFlight = new Map();
    hasSession = true;
    current = { link, aliases: new Map(), owed: new Set(), isOver: false };
    peers.set(link.number, current);
    const properties = { receiveMaximum, topicAliasMaximum, authenticationMethod: "mayfly-jwt" };
    link.say({ ...accepted, sessionPresent, ...(isFive ? { properties } : {}) });
  };

  const arranged = arrangeScript((packet, link) => {
    if (packet.type === "connect") {
      takeConnect(link);
      return "taken";
    }
    const peer = peers.get(link.number);
    if (peer === undefined || peer.isOver) return "taken";
    if (packet.type === "publish") takePublish(packet, peer);
    else if (packet.type === "puback") {
      // The answer to the second coming of one that was answered already is lawful, and is not counted.
      peer.owed.delete(packet.packetIdentifier);
    } else if (packet.type === "auth") {
      link.say({ type: "auth", reasonCode: 0, properties: { authenticationMethod: "mayfly-jwt" } });
    } else return "default";
    return "taken";
  }, options);
  const { world, agent } = arranged;

  const outcomes = new Map<string, string>();
  for (let i = 0; i < messages; i++) {
    world.timers.after((i * roughMillis) / messages, () => {
      const text = `${i}`.padStart((i % 3) + 4, "0");
      const published = agent.publish(utf8Encode(text), { subfolder: `s${text.length}` });
      if (published.kind !== "accepted") return;
      outcomes.set(text, "waits");
      void published.outcome.then(({ kind }) => outcomes.set(text, kind));
    });
  }
  for (let at = 0; at < roughMillis; at += random.between(200, 3_000)) {
    world.timers.after(at, () => {
      if (current !== undefined && !current.isOver) sendCommand(current);
    });
  }

  agent.start();
  await world.run(roughMillis);
  const waits = [...outcomes.values()].filter((kind) => kind === "waits").length;
  const queuedInTheRough = agent.status().queuedMessages;
  isCalm = true;
  await world.run(600_000);
  return { agent, breaches, outcomes, taken, refused, waits, queuedInTheRough };
}

for (const manner of ["v5", "v5, Session kept", "v4", "v4, Session kept"] as const) {
  test(`${manner}: whatever a lawful bridge does, the agent keeps to MQTT and every message is settled or still kept`, async () => {
    for (let i = 0; i < 8; i++) {
      const seed = `random ${i}`;
      const replay = `replay: liveWith("${seed}", "${manner}")`;

      const lived = await liveWith(seed, manner);

      assert.deepEqual(lived.breaches, [], replay);
      assert.equal(lived.outcomes.size, messages, replay);
      assert.equal(lived.waits, lived.queuedInTheRough, replay);
      assert.equal(lived.agent.status().queuedMessages, 0, replay);
      for (const [text, kind] of lived.outcomes) {
        const isTrue =
          kind === "acknowledged" ? lived.taken.has(text) : kind === "refused" && lived.refused.has(text);
        assert.ok(isTrue, `${text} ${kind}; ${replay}`);
      }
    }
  });
}

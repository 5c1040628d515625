/**
 * A script in the bridge's place: a real agent on the simulated network, against answers our own bridge does not give.
 *
 * Whatever the script leaves unanswered is not answered; PUBLISHes, PINGREQ and SUBSCRIBE have their usual answers
 * unless it takes them.
 */
import { utf8Encode } from "@mayfly/core";
import type { ClientPacket, ServerPacket } from "@mayfly/core/mqtt";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import {
  type AgentEvent,
  type AgentHandlers,
  type AgentOptions,
  type AgentPorts,
  type Connect,
  clockTime,
  createAgent,
} from "@mayfly/device";
import { createNetwork, createWorld, type World } from "@mayfly/sim";

/** One Network Connection as the script sees it. */
export interface ScriptedLink {
  /** 1 for the agent's first. */
  readonly number: number;
  say(packet: ServerPacket): void;
  close(): void;
}

/** @returns `default` for the usual answer. */
export type Script = (packet: ClientPacket, link: ScriptedLink) => "taken" | "default";

export interface Heard {
  readonly link: number;
  readonly atMillis: number;
  readonly packet: ClientPacket;
}

export const accepted = { type: "connack", sessionPresent: false, reasonCode: 0 } as const;

export function arrangeScript(
  script: Script,
  options: Partial<AgentOptions> = {},
  handlers: AgentHandlers = {},
  /** In place of an exact clock, a chip that signs at once and no store. */
  ports: (world: World, connect: Connect) => Partial<AgentPorts> = () => ({}),
  seed = "scripted",
) {
  const { protocolVersion = 5 } = options;
  const world = createWorld({ seed });
  const network = createNetwork(world, { latencyMillis: { least: 5, most: 5 } });
  const heard: Heard[] = [];
  const links: ScriptedLink[] = [];
  const dialer = network.createDialer("lamp", (wire) => {
    const decoder = new ServerDecoder({ maximumPacketSize: 65_536 });
    const link: ScriptedLink = {
      number: links.length + 1,
      say: (packet) => wire.write(encodeServerPacket(packet, protocolVersion)),
      close: () => wire.close(),
    };
    links.push(link);
    return {
      received(bytes) {
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          const kept = structuredClone(packet);
          heard.push({ link: link.number, atMillis: world.clock.monotonicMillis(), packet: kept });
          if (script(kept, link) === "default") answerAsUsual(kept, link);
        }
      },
      closed: () => {},
    };
  });
  const agent = createAgent(
    {
      clock: world.clock,
      timers: world.timers,
      random: world.random("agent"),
      sha256: { digest: () => new Uint8Array(32) },
      signer: { keyId: "k", signDigest: async () => new Uint8Array(64).fill(1) },
      time: clockTime(world),
      connect: dialer.connect,
      ...ports(world, dialer.connect),
    },
    { project: "p", location: "l", registry: "lamps", device: "lamp", ...options },
    handlers,
  );
  const events: AgentEvent[] = [];
  agent.onEvent((event) => events.push(event));

  /** What came, of one type, in order. */
  function of<T extends ClientPacket["type"]>(
    type: T,
  ): readonly (Heard & { readonly packet: Extract<ClientPacket, { type: T }> })[] {
    return heard.filter(
      (one): one is Heard & { packet: Extract<ClientPacket, { type: T }> } => one.packet.type === type,
    );
  }

  const publish = (text: string, acknowledged: string[] = []): void => {
    const answer = agent.publish(utf8Encode(text));
    if (answer.kind !== "accepted") throw new Error(`not taken: ${answer.because}`);
    void answer.outcome.then((outcome) => outcome.kind === "acknowledged" && acknowledged.push(text));
  };

  return { world, agent, events, dialer, heard, links, of, publish };
}

function answerAsUsual(packet: ClientPacket, link: ScriptedLink): void {
  switch (packet.type) {
    case "connect":
      link.say(accepted);
      return;
    case "subscribe":
      link.say({ type: "suback", packetIdentifier: packet.packetIdentifier, reasonCodes: [1, 1] });
      return;
    case "publish":
      if (packet.packetIdentifier !== undefined) {
        link.say({ type: "puback", packetIdentifier: packet.packetIdentifier, reasonCode: 0 });
      }
      return;
    case "pingreq":
      link.say({ type: "pingresp" });
      return;
    default:
      return;
  }
}

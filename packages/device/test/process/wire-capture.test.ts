/**
 * The agent's packets as tshark reads them, by its own reading of both standards, on their way to Mosquitto: no packet is
 * malformed or warned of, aliases and properties are where they should be.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createConnection } from "node:net";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import { type AgentHandlers, type AgentOptions, type Connect, createAgent } from "@mayfly/device";
import {
  createSoftwareSigner,
  nodeClock,
  nodeRandom,
  nodeSha256,
  nodeTime,
  nodeTimers,
} from "@mayfly/device/node";
import { PacketCapture } from "../../../../test/process/packet-capture.ts";
import { Mosquitto } from "./mosquitto.ts";

/** In the clear, so that nothing has to be decrypted. */
function plainConnect(port: number): Connect {
  return (events) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.on("connect", () => events.opened());
    socket.on("data", (bytes) => {
      if (typeof bytes !== "string") events.received(bytes);
    });
    socket.on("error", () => {});
    socket.on("close", () => events.closed(""));
    return {
      write: (bytes) => void socket.write(bytes),
      close: () => void socket.end(),
      get bufferedBytes() {
        return socket.writableLength;
      },
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
    };
  };
}

function startAgent(port: number, options: Partial<AgentOptions>, handlers: AgentHandlers) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const agent = createAgent(
    {
      clock: nodeClock,
      timers: nodeTimers,
      random: nodeRandom,
      sha256: nodeSha256,
      signer: createSoftwareSigner(privateKey.export({ format: "pem", type: "pkcs8" }).toString()),
      time: nodeTime,
      connect: plainConnect(port),
    },
    { project: "mayfly", location: "here", registry: "lamps", device: "lamp-1", ...options },
    handlers,
  );
  agent.start();
  return agent;
}

for (const protocolVersion of [4, 5] as const) {
  test(`version ${protocolVersion}: tshark finds nothing wrong with any packet, and reads what we meant`, {
    timeout: 60_000,
  }, async (t) => {
    const mosquitto = await Mosquitto.start(t);
    const { folder, plainPort: port } = mosquitto;
    const capture = await PacketCapture.start(t, { folder, port }, "agent", "tcp");
    let commanded: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      commanded = resolve;
    });
    const agent = startAgent(
      port,
      { protocolVersion, cleanSession: false, keepAliveSeconds: 5, wire: { topicAliasMaximum: 4 } },
      { command: () => commanded() },
    );
    t.after(() => agent.stop());

    for (const subfolder of ["", "", "door", "door", ""]) {
      const answer = agent.publish(utf8Encode("21.5"), { subfolder, messageId: `m-${subfolder}` });
      assert.ok(answer.kind === "accepted");
      await answer.outcome;
    }
    await mosquitto.publish("/devices/lamp-1/commands", "blink");
    await arrived;
    agent.stop();
    // In 5.0 the first connection is the one whose Authentication Method Mosquitto does not know; and mosquitto_pub's.
    await capture.end(protocolVersion === 5 ? 3 : 2);

    assert.deepEqual(await capture.findFaults(), []);
    const [topics = [], lengths = [], aliases = [], types = []] = await capture.values(
      "mqtt.topic",
      "mqtt.topic_len",
      "mqtt.property.topic_alias",
      "mqtt.msgtype",
    );
    const [plain, door] = ["/devices/lamp-1/events", "/devices/lamp-1/events/door"];
    // Behind an alias tshark names what it stands for.
    assert.deepEqual(
      topics.filter((topic) => topic.startsWith(plain)),
      [plain, plain, door, door, plain],
    );
    const isFive = protocolVersion === 5;
    assert.deepEqual(aliases, isFive ? ["1", "1", "2", "2", "1"] : []);
    assert.equal(lengths.filter((length) => length === "0").length, isFive ? 3 : 0);
    // CONNECT, SUBSCRIBE, PUBLISH, PUBACK and DISCONNECT, ours and Mosquitto's.
    for (const type of ["1", "2", "3", "4", "8", "9", "14"]) assert.ok(types.includes(type), `type ${type}`);
  });
}

/**
 * The agent with a broker nobody here wrote: Mosquitto knows MQTT 3.1.1 and 5.0, keeps Sessions, and has never heard
 * of our Authentication Method.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type TestContext, test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { Agent, AgentEvent, AgentHandlers, AgentOptions } from "@mayfly/device";
import { createNodeAgent } from "@mayfly/device/node";
import { Mosquitto } from "./mosquitto.ts";

const device = { project: "mayfly", location: "here", registry: "lamps", device: "lamp-1" } as const;

function startAgent(
  t: TestContext,
  { port, caPem }: { readonly port: number; readonly caPem: string },
  options: Partial<AgentOptions>,
  handlers: AgentHandlers = {},
): { readonly agent: Agent; readonly events: AgentEvent[] } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyPem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const agent = createNodeAgent({ host: "localhost", port, caPem, keyPem, ...device, ...options }, handlers);
  const events: AgentEvent[] = [];
  agent.onEvent((event) => events.push(event));
  t.after(() => agent.stop());
  agent.start();
  return { agent, events };
}

async function acknowledged(agent: Agent, text: string): Promise<void> {
  const answer = agent.publish(utf8Encode(text));
  assert.ok(answer.kind === "accepted");
  assert.deepEqual(await answer.outcome, { kind: "acknowledged" });
}

function nextEvent(agent: Agent, kind: AgentEvent["kind"]): Promise<void> {
  return new Promise((resolve) => {
    const leave = agent.onEvent((event) => {
      if (event.kind !== kind) return;
      leave();
      resolve();
    });
  });
}

test("Mosquitto answers our Authentication Method with 0x8C, and takes the agent by the Password", async (t) => {
  const mosquitto = await Mosquitto.start(t);

  const { agent, events } = startAgent(t, mosquitto, { protocolVersion: 5 });
  await acknowledged(agent, "21.5");

  const refusals = events.flatMap((event) => (event.kind === "refused" ? [event.reasonCode] : []));
  assert.deepEqual(refusals, [0x8c]);
  assert.deepEqual([agent.status().authentication, agent.status().renewal], ["password", "reconnect"]);
});

test("Mosquitto hands a 3.1.1 Session over: Session Present 1, and a command arrives without another SUBSCRIBE", async (t) => {
  const mosquitto = await Mosquitto.start(t);
  let take: (text: string) => void = () => {};
  const commanded = new Promise<string>((resolve) => {
    take = resolve;
  });

  const { agent } = startAgent(
    t,
    mosquitto,
    { protocolVersion: 4, cleanSession: false, firstRenewalAfterSeconds: 1 },
    { command: (payload) => take(utf8Decode(payload)) },
  );
  await acknowledged(agent, "before");
  await nextEvent(agent, "renewed");
  await acknowledged(agent, "after");
  await mosquitto.publish("/devices/lamp-1/commands", "blink");

  assert.equal(await commanded, "blink");
  assert.deepEqual(agent.status().renewalsBy, { reauthentication: 0, handover: 1, reconnect: 0 });
  const name = "projects/mayfly/locations/here/registries/lamps/devices/lamp-1";
  const seen = (what: string): number => mosquitto.count(what, name);
  assert.deepEqual([seen("Sending CONNACK"), seen("Received SUBSCRIBE")], [2, 1]);
  assert.equal(seen("(1, 0)"), 1, "CONNACK with Session Present 1 and return code 0");
});

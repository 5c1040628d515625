/**
 * The agent with a Mosquitto that goes away: killed, ended in order, or stopped with its sockets open. What arrived is read
 * in Mosquitto's own log: each message has a Topic Name of its own.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { AgentEvent, AgentHandlers, AgentOptions } from "@mayfly/device";
import { createNodeAgent } from "@mayfly/device/node";
import { Mosquitto } from "./mosquitto.ts";

const device = { project: "mayfly", location: "here", registry: "lamps", device: "lamp-1" } as const;

function startAgent(
  t: TestContext,
  { port, caPem }: Mosquitto,
  options: Partial<AgentOptions>,
  handlers: AgentHandlers = {},
) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyPem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const agent = createNodeAgent({ host: "localhost", port, caPem, keyPem, ...device, ...options }, handlers);
  t.after(() => agent.stop());
  agent.start();
  return agent;
}

/** Resolves when such an event comes. */
function next(
  agent: ReturnType<typeof startAgent>,
  isIt: (event: AgentEvent) => boolean,
): Promise<AgentEvent> {
  return new Promise((resolve) => {
    const leave = agent.onEvent((event) => {
      if (!isIt(event)) return;
      leave();
      resolve(event);
    });
  });
}

const manners: readonly { readonly name: string; readonly options: Partial<AgentOptions> }[] = [
  { name: "5.0", options: { protocolVersion: 5 } },
  { name: "5.0, Session kept", options: { protocolVersion: 5, cleanSession: false } },
  { name: "3.1.1", options: { protocolVersion: 4 } },
  { name: "3.1.1, Session kept", options: { protocolVersion: 4, cleanSession: false } },
];

for (const { name, options } of manners) {
  test(`${name}: through a kill -9 and an orderly restart of Mosquitto nothing accepted is lost, and commands come again`, {
    timeout: 90_000,
  }, async (t) => {
    const mosquitto = await Mosquitto.start(t);
    const commands: string[] = [];
    let take: (text: string) => void = () => {};
    const agent = startAgent(t, mosquitto, options, {
      command: (payload) => {
        commands.push(utf8Decode(payload));
        take(utf8Decode(payload));
      },
    });
    const outcomes: Promise<{ readonly kind: string }>[] = [];
    let isPublishing = true;
    const publishing = (async () => {
      while (isPublishing) {
        const answer = agent.publish(utf8Encode("21.5"), { subfolder: `n-${outcomes.length}` });
        assert.ok(answer.kind === "accepted");
        outcomes.push(answer.outcome);
        await sleep(25);
      }
    })();
    const isBack = () => next(agent, ({ kind }) => kind === "acknowledged");
    const command = async (text: string): Promise<void> => {
      const arrived = new Promise<void>((resolve) => {
        take = (came) => {
          if (came === text) resolve();
        };
      });
      await mosquitto.publish("/devices/lamp-1/commands/led", text);
      await arrived;
    };

    await isBack();
    await sleep(500);
    await command("first");
    await mosquitto.stop("SIGKILL");
    await sleep(500);
    const second = isBack();
    await mosquitto.run();
    await second;
    await sleep(200);
    await command("after kill -9");
    await mosquitto.stop("SIGTERM");
    const third = isBack();
    await mosquitto.run();
    await third;
    await sleep(200);
    await command("after the restart");
    isPublishing = false;
    await publishing;
    const kinds = new Set((await Promise.all(outcomes)).map(({ kind }) => kind));

    const arrived = new Set(mosquitto.lines.flatMap((line) => /events\/n-(\d+)'/.exec(line)?.[1] ?? []));
    const missing = outcomes.map((_, i) => `${i}`).filter((one) => !arrived.has(one));
    assert.deepEqual(missing, []);
    assert.ok(outcomes.length > 60, `${outcomes.length} messages`);
    assert.deepEqual(kinds, new Set(["acknowledged"]));
    assert.deepEqual([...new Set(commands)], ["first", "after kill -9", "after the restart"]);
    assert.equal(agent.status().queuedMessages, 0);
  });
}

for (const protocolVersion of [4, 5] as const) {
  test(`version ${protocolVersion}: a Mosquitto that is stopped with its sockets open is found out within one and a half keep-alives`, {
    timeout: 60_000,
  }, async (t) => {
    const mosquitto = await Mosquitto.start(t);
    const agent = startAgent(t, mosquitto, { protocolVersion, keepAliveSeconds: 5 });
    const first = agent.publish(utf8Encode("before"));
    assert.ok(first.kind === "accepted");
    await first.outcome;

    const fromMillis = performance.now();
    mosquitto.signal("SIGSTOP");
    const lost = await next(agent, ({ kind }) => kind === "connection_lost");
    const tookMillis = performance.now() - fromMillis;
    const second = agent.publish(utf8Encode("after"));
    mosquitto.signal("SIGCONT");

    assert.ok(second.kind === "accepted");
    assert.deepEqual(await second.outcome, { kind: "acknowledged" });
    assert.match(lost.kind === "connection_lost" ? lost.because : "", /^ping_timeout/);
    assert.ok(tookMillis <= 7_500 + 250, `${tookMillis} ms`);
  });
}

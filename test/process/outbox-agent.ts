/**
 * A device in a process that publishes until it is killed, and says on standard output which messages it was told are
 * durable. Put together from the agent's own Node adapters; the bridge's place is looked up anew for each connection,
 * as it changes when the bridge is started again.
 *
 * Argument: JSON as {@link OutboxAgentOrder}. Lines: `started PID`, `connected`, `durable NAME`, `refused CODE`, `drained SENT RESENT`.
 */
import { readFileSync, writeSync } from "node:fs";
import { createAgent } from "@mayfly/device";
import {
  createSoftwareSigner,
  createTlsConnect,
  nodeClock,
  nodeRandom,
  nodeSha256,
  nodeTime,
  nodeTimers,
  openFileOutbox,
} from "@mayfly/device/node";

export interface OutboxAgentOrder {
  readonly endpointsFile: string;
  readonly keyFile: string;
  readonly folder: string;
  readonly project: string;
  readonly location: string;
  readonly registry: string;
  readonly device: string;
  readonly protocolVersion: 4 | 5;
  readonly envelope: boolean;
  /** `burst` messages each so many milliseconds, named `NAME-1` and so on; or `drain`: none, and an end. */
  readonly task:
    | { readonly publishEveryMillis: number; readonly burst: number; readonly name: string }
    | "drain";
  readonly bytesMax?: number;
  readonly segmentBytes?: number;
}

// A line that was begun is whole, whenever the process is killed.
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

function run(order: OutboxAgentOrder): void {
  const { folder, task, bytesMax = 4 * 1024 * 1024, segmentBytes } = order;
  const outbox = openFileOutbox({
    folder,
    bytesMax,
    ...(segmentBytes === undefined ? undefined : { segmentBytes }),
  });
  const agent = createAgent(
    {
      clock: nodeClock,
      timers: nodeTimers,
      random: nodeRandom,
      sha256: nodeSha256,
      signer: createSoftwareSigner(readFileSync(order.keyFile, "utf8")),
      time: nodeTime,
      connect: (events) => {
        const { mqtts, ca } = JSON.parse(readFileSync(order.endpointsFile, "utf8")) as Record<string, string>;
        const port = Number(mqtts?.slice(mqtts.lastIndexOf(":") + 1));
        return createTlsConnect({ host: "localhost", port, caPem: readFileSync(ca ?? "", "utf8") })(events);
      },
      outbox,
    },
    {
      project: order.project,
      location: order.location,
      registry: order.registry,
      device: order.device,
      protocolVersion: order.protocolVersion,
      cleanSession: order.protocolVersion === 5,
      envelope: order.envelope,
      outbox: { messagesMax: 10_000, bytesMax },
    },
  );
  say(`started ${process.pid}`);
  agent.onEvent(({ kind }) => {
    if (kind === "connected") say("connected");
  });
  agent.start();
  if (task === "drain") {
    const timer = setInterval(() => {
      const { queuedMessages, sent, resent } = agent.status();
      if (queuedMessages > 0) return;
      clearInterval(timer);
      agent.stop();
      void outbox.close().then(() => say(`drained ${sent} ${resent}`));
    }, 20);
    return;
  }
  let count = 0;
  const publishOne = (): void => {
    count += 1;
    const name = `${task.name}-${count}`;
    const answer = agent.publish(Buffer.from(name));
    if (answer.kind === "refused") say(`refused ${answer.because}`);
    else {
      void answer.durable.then((durability) => {
        if (durability === "durable") say(`durable ${name}`);
      });
    }
  };
  setInterval(() => {
    for (let i = 0; i < task.burst; i++) publishOne();
  }, task.publishEveryMillis);
}

run(JSON.parse(process.argv[2] ?? "") as OutboxAgentOrder);

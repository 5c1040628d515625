/**
 * One device of `npm run bench:agent-soak`, in its own process: our agent as a program would embed it, publishing at a
 * steady pace, with every interval between two acknowledgements sorted into "around a renewal" and "otherwise".
 *
 * Its settings come as JSON in the first argument; at the end of its standard input it publishes no more, waits for
 * what is on its way and prints its findings as one line of JSON.
 */
import { readFileSync } from "node:fs";
import { createNodeAgent } from "@mayfly/device/node";
import { type SoakFindings, type SoakOrder, soakSequence } from "./agent-soak-order.ts";

const order = JSON.parse(process.argv[2] ?? "{}") as SoakOrder;
/** A renewal begins with a new token; acknowledgements this long before and after it count as "around" it. */
const aroundMillis = 500;
const drainMillisMax = 20_000;

const agent = createNodeAgent({
  host: "localhost",
  port: order.port,
  caPem: readFileSync(order.ca, "utf8"),
  ...order.name,
  keyPem: readFileSync(order.key, "utf8"),
  ...(order.mqtt === 4 ? { protocolVersion: 4, cleanSession: false } : { protocolVersion: 5 }),
  lifetimeSeconds: order.lifetimeSeconds,
  lifetimeFloorSeconds: order.lifetimeSeconds,
  ...(order.isEnveloped ? { envelope: true } : undefined),
});

const acknowledgedAt: number[] = [];
const renewals: { fromMillis: number; untilMillis: number }[] = [];
let refusals = 0;
let mintedMillis: number | undefined;
agent.onEvent((event) => {
  const now = performance.now();
  if (event.kind === "acknowledged") acknowledgedAt.push(now);
  if (event.kind === "minted") mintedMillis = now;
  if (event.kind === "renewed" && mintedMillis !== undefined) {
    renewals.push({ fromMillis: mintedMillis - aroundMillis, untilMillis: now + aroundMillis });
  }
  if (event.kind === "refused" || event.kind === "message_refused") refusals += 1;
});

let isEnding = false;
process.stdin.on("end", () => {
  isEnding = true;
});
process.stdin.resume();
agent.start();

let sequence = 0;
let refused = 0;
const acknowledged = new Set<number>();
const startMillis = performance.now();
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - startMillis) / 1000) * order.perSecond);
  while (!isEnding && sequence < due) publish();
  if (isEnding) {
    clearInterval(timer);
    drain();
  }
}, 1000 / order.perSecond);

function publish(): void {
  sequence += 1;
  const mine = sequence;
  const answer = agent.publish(new TextEncoder().encode(soakSequence(order, mine)), {
    // In 3.1.1 only an envelope carries it.
    messageId: `${order.name.device}-${mine}`,
  });
  if (answer.kind === "refused") {
    refused += 1;
    return;
  }
  answer.outcome.then(
    (outcome) => {
      if (outcome.kind === "acknowledged") acknowledged.add(mine);
    },
    () => {},
  );
}

function drain(): void {
  const until = performance.now() + drainMillisMax;
  const poll = setInterval(() => {
    if (agent.status().queuedMessages > 0 && performance.now() < until) return;
    clearInterval(poll);
    const status = agent.status();
    agent.stop();
    const findings: SoakFindings = {
      published: sequence,
      refusedByOutbox: refused,
      acknowledged: acknowledged.size,
      resent: status.resent,
      refusals,
      renewalsBy: status.renewalsBy,
      connects: status.connects,
      credentialGapMillis: status.longestGapMillis,
      ...longestIntervals(),
    };
    process.stdout.write(`${JSON.stringify(findings)}\n`, () => process.exit(0));
  }, 50);
}

/** The longest time between two acknowledgements, where a renewal falls into it and where none does. */
function longestIntervals(): Pick<SoakFindings, "longestAtRenewalMillis" | "longestOtherwiseMillis"> {
  let [atRenewal, otherwise] = [0, 0];
  for (let i = 1; i < acknowledgedAt.length; i += 1) {
    const [from = 0, until = 0] = [acknowledgedAt[i - 1], acknowledgedAt[i]];
    const isAround = renewals.some((one) => one.fromMillis < until && from < one.untilMillis);
    if (isAround) atRenewal = Math.max(atRenewal, until - from);
    else otherwise = Math.max(otherwise, until - from);
  }
  return { longestAtRenewalMillis: atRenewal, longestOtherwiseMillis: otherwise };
}

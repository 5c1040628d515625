/**
 * `mayfly pull`: what devices sent, through a durable subscription that remembers where its reader was.
 *
 * A message is acknowledged after it has been printed, so it may come twice (at-least-once) but is never lost.
 */

import { formatRegistryName } from "@mayfly/core";
import {
  AdminApiError,
  type AdminClient,
  type PulledMessage,
  type RegistryPath,
  type SubscriptionPath,
} from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  newCommand,
  outputOf,
  type RegistryCommandFlags,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { monotonicMillis } from "../host/clock.ts";
import { stopSignal } from "../host/signals.ts";
import { formatMessage } from "../message-line.ts";
import { fullTopic } from "../notification-flags.ts";
import type { Output } from "../output.ts";

const MESSAGES_DEFAULT = 100;
/** What one call to the server may ask for. */
const BATCH_MAX = 1_000;
const BATCH_WAIT_SECONDS_MAX = 30;

interface PullFlags extends RegistryCommandFlags {
  readonly subscription?: string;
  readonly topic?: string;
  readonly max?: number;
  readonly wait: number;
  readonly ack: boolean;
  readonly follow?: true;
}

export function addPullCommands(program: Command): void {
  program.addCommand(
    withRegistry(
      withConnection(newCommand("pull", "print the messages a durable subscription has not given out yet")),
    )
      .option(
        "--subscription <NAME>",
        "subscription, made at its first use from the oldest message on (default: pull-REGISTRY, with --topic pull-REGISTRY-TOPIC)",
      )
      .option("--topic <TOPIC>", "only messages the registry's notification configs send there")
      .option(
        "--max <N>",
        `messages at most (default ${MESSAGES_DEFAULT}; with --follow no limit)`,
        wholeNumber(1, 1_000_000),
      )
      .option("--wait <SECONDS>", "how long to wait for the first message", wholeNumber(0, 3_600), 5)
      .option("--no-ack", "do not acknowledge: the messages come again when their lease ends")
      .option("--follow", "go on until interrupted")
      .action(pull),
  );
}

async function pull(flags: PullFlags): Promise<void> {
  const { client, endpoints, transport } = await findServer(flags);
  const registry = registryOf(flags, endpoints);
  const topic = flags.topic === undefined ? undefined : fullTopic(flags.topic, registry.project);
  const standard = ["pull", registry.registry, ...(topic === undefined ? [] : [topic.split("/").at(-1)])];
  const at = { project: registry.project, subscription: flags.subscription ?? standard.join("-") };
  const stop = stopSignal();
  stop.addEventListener("abort", () => transport.close());
  try {
    await ensureSubscription(client, at, registry, topic);
    await readMessages(client, at, flags, outputOf(flags), stop);
  } catch (error) {
    // An interrupted request is how a pull that follows ends.
    if (!stop.aborted) throw error;
  } finally {
    transport.close();
  }
}

async function readMessages(
  client: AdminClient,
  at: SubscriptionPath,
  flags: PullFlags,
  output: Output,
  stop: AbortSignal,
): Promise<void> {
  let left = flags.max ?? (flags.follow === true ? Number.POSITIVE_INFINITY : MESSAGES_DEFAULT);
  const waitUntil = monotonicMillis() + flags.wait * 1000;
  let received = 0;
  while (left > 0 && !stop.aborted) {
    const waitSeconds = flags.follow === true ? BATCH_WAIT_SECONDS_MAX : remainingWait(waitUntil, received);
    const messages = await client.pull(at, { maxMessages: Math.min(left, BATCH_MAX), waitSeconds });
    for (const message of messages) print(output, message);
    if (flags.ack && messages.length > 0) {
      await client.acknowledge(
        at,
        messages.map((message) => message.ackId),
      );
    }
    left -= messages.length;
    received += messages.length;
    const isDrained = messages.length === 0 && (received > 0 || monotonicMillis() >= waitUntil);
    if (flags.follow !== true && isDrained) return;
  }
}

/** Whole seconds one call may wait: for the first message until the deadline, for more not at all. */
function remainingWait(waitUntil: number, received: number): number {
  if (received > 0) return 0;
  const seconds = Math.ceil((waitUntil - monotonicMillis()) / 1000);
  return Math.min(BATCH_WAIT_SECONDS_MAX, Math.max(0, seconds));
}

function print(output: Output, { message, deliveryAttempt }: PulledMessage): void {
  output.result({ ...message, deliveryAttempt }, () => formatMessage(message));
}

/** Makes the subscription at its first use. @throws {CommandFailure} usage when it reads another registry or topic. */
export async function ensureSubscription(
  client: AdminClient,
  at: SubscriptionPath,
  registry: RegistryPath,
  topic?: string,
): Promise<void> {
  const wanted = formatRegistryName(registry);
  const found = await findSubscription(client, at);
  if (found === undefined) {
    try {
      await client.createSubscription(at, {
        ...{ registry: wanted, from: "earliest" },
        ...(topic === undefined ? {} : { topic }),
      });
    } catch (error) {
      // Another reader made it between our two calls.
      if (!(error instanceof AdminApiError) || error.status !== "ALREADY_EXISTS") throw error;
    }
    return;
  }
  if (found.registry !== wanted || found.topic !== topic) {
    const reads = found.topic === undefined ? found.registry : `${found.topic} of ${found.registry}`;
    throw new CommandFailure(
      "usage",
      `the subscription ${at.subscription} reads ${reads}; choose another with --subscription`,
    );
  }
}

async function findSubscription(
  client: AdminClient,
  at: SubscriptionPath,
): Promise<{ readonly registry: string; readonly topic?: string } | undefined> {
  try {
    return await client.getSubscription(at);
  } catch (error) {
    if (error instanceof AdminApiError && error.status === "NOT_FOUND") return undefined;
    throw error;
  }
}

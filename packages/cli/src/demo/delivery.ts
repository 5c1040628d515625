/**
 * The application's half of the demo: a durable pull subscription, read until told to end.
 *
 * It believes nothing an agent says: a message is delivered when this loop has it in hand.
 */
import type { AdminClient, SubscriptionPath } from "@mayfly/core/admin";
import { parseAgentPayload } from "./agent-line.ts";

const BATCH_MAX = 1_000;
const WAIT_SECONDS = 2;
/** Pause after a failed call. */
const RETRY_MILLIS = 500;

export interface DeliveryPorts {
  readonly client: Pick<AdminClient, "pull" | "acknowledge">;
  readonly sleep: (millis: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Reads until `stop` fires. A call that fails is made again: what was not acknowledged comes again, so
 * nothing is missed.
 *
 * @param run Messages of other runs are acknowledged and passed over.
 */
export async function readDeliveries(
  ports: DeliveryPorts,
  options: { readonly subscription: SubscriptionPath; readonly run: string; readonly stop: AbortSignal },
  onDelivered: (device: string, sequence: number) => void,
): Promise<void> {
  const { subscription, run, stop } = options;
  while (!stop.aborted) {
    try {
      const messages = await ports.client.pull(subscription, {
        maxMessages: BATCH_MAX,
        waitSeconds: WAIT_SECONDS,
      });
      for (const { message } of messages) {
        const payload = parseAgentPayload(Buffer.from(message.data, "base64").toString("utf8"));
        const device = message.attributes["deviceId"];
        if (payload?.run === run && device !== undefined) onDelivered(device, payload.sequence);
      }
      if (messages.length === 0) continue;
      await ports.client.acknowledge(
        subscription,
        messages.map(({ ackId }) => ackId),
      );
    } catch {
      // The server's death is noticed by whoever watches its process; anything less passes.
      await ports.sleep(RETRY_MILLIS, stop);
    }
  }
}

/**
 * The agent's status as metrics for Prometheus, read when somebody scrapes.
 *
 * Labels come from closed sets only, and none names the device: whoever scrapes knows whom.
 */
import type { AgentEvent, AgentState, AgentStatus, RenewalKind, TimeStatus } from "@mayfly/device";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

const states: readonly AgentState[] = [
  "stopped",
  "waiting_for_clock",
  "minting",
  "connecting",
  "connected",
  "renewing",
  "backing_off",
];
const renewalKinds: readonly RenewalKind[] = ["reauthentication", "handover", "reconnect"];

export interface AgentMetrics {
  /** Hand this to the agent's `onEvent`. */
  take(event: AgentEvent): void;
  read(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** @param clock Where the agent keeps its time by itself. */
export function createAgentMetrics(status: () => AgentStatus, clock?: () => TimeStatus): AgentMetrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });

  const gauge = (name: string, help: string, read: (status: AgentStatus) => number | undefined): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read(status());
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  };
  const total = (name: string, help: string, read: (status: AgentStatus) => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(status()));
      },
    });
  };

  new Gauge({
    name: "mayfly_agent_state",
    help: "1 for the state the agent is in, 0 for the others.",
    labelNames: ["state"],
    registers,
    collect() {
      const { state } = status();
      for (const one of states) this.set({ state: one }, one === state ? 1 : 0);
    },
  });
  new Counter({
    name: "mayfly_agent_renewals_total",
    help: "New tokens that came into use in place of old ones, by how it was done.",
    labelNames: ["by"],
    registers,
    collect() {
      this.reset();
      const { renewalsBy } = status();
      for (const by of renewalKinds) this.inc({ by }, renewalsBy[by]);
    },
  });
  gauge(
    "mayfly_agent_token_remaining_seconds",
    "Until exp of the token the connection rests on.",
    (s) => s.tokenRemainingSeconds,
  );
  gauge(
    "mayfly_agent_gap_longest_seconds",
    "The longest time a credential kept a message from being sent.",
    (s) => s.longestGapMillis / 1000,
  );
  gauge("mayfly_agent_outbox_messages", "Messages not acknowledged yet.", (s) => s.queuedMessages);
  gauge("mayfly_agent_outbox_bytes", "Their payloads.", (s) => s.queuedBytes);
  total("mayfly_agent_connects_total", "CONNECTs that were accepted.", (s) => s.connects);
  total("mayfly_agent_messages_sent_total", "Messages handed to the network, each once.", (s) => s.sent);
  total("mayfly_agent_messages_resent_total", "Messages handed to the network again.", (s) => s.resent);
  total(
    "mayfly_agent_messages_acknowledged_total",
    "QoS 1 messages the bridge acknowledged.",
    (s) => s.acknowledged,
  );
  total(
    "mayfly_agent_messages_refused_total",
    "Messages refused by the agent or the bridge.",
    (s) => s.refused,
  );
  total("mayfly_agent_messages_dropped_total", "Messages given up for newer ones.", (s) => s.dropped);
  gauge("mayfly_agent_outbox_trouble", "1 while the outbox takes no messages because of its disk.", (s) =>
    s.outboxTrouble === undefined ? 0 : 1,
  );
  if (clock !== undefined) {
    gauge(
      "mayfly_agent_clock_uncertainty_seconds",
      "How wrong the clock may be; absent while it is not believed at all.",
      () => clock().uncertaintySeconds,
    );
    gauge("mayfly_agent_clock_ready", "1 while tokens may be signed by the clock.", () =>
      clock().waitingBecause === undefined ? 1 : 0,
    );
    gauge(
      "mayfly_agent_rtc_drift_ppm",
      "Drift of the clock chip, positive for fast.",
      () => clock().rtc?.driftPpm,
    );
    gauge(
      "mayfly_agent_rtc_drift_bound_ppm",
      "By how much that may be wrong.",
      () => clock().rtc?.driftBoundPpm,
    );
  }
  const refusals = new Counter({
    name: "mayfly_agent_refusals_total",
    help: "Refusals by the bridge, by what the agent did next.",
    labelNames: ["action"],
    registers,
  });
  const signingFailures = new Counter({
    name: "mayfly_agent_signing_failures_total",
    help: "Tokens that could not be signed.",
    registers,
  });

  return {
    take(event) {
      if (event.kind === "refused") refusals.inc({ action: event.action });
      if (event.kind === "sign_failed") signingFailures.inc();
    },
    read: async () => ({ contentType: register.contentType, text: await register.metrics() }),
  };
}

/**
 * Metrics for Prometheus: what the bridge tells becomes counters and histograms, depths are asked for at scrape.
 *
 * Labels come from closed sets only, so that no peer can make a new time series; no label names a device.
 */
import type { Clock } from "@mayfly/core";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { alarmKinds } from "../auth/alarm.ts";
import type { DeviceApiObserver } from "../http/device-observer.ts";
import type { MetricsText } from "../http/metrics-route.ts";
import type { BridgeCounts } from "../mqtt/bridge.ts";
import type { BridgeObserver } from "../mqtt/observer.ts";
import type { StoreStatus } from "../registry/store.ts";
import type { BackboneStatus } from "../telemetry/backbone.ts";
import type { SelfClockStatus } from "../time/self-clock.ts";
import type { TimeObserver } from "../time/time-answerer.ts";
import { createTalliedCounter, createTalliedHistogram } from "./tallies.ts";

/** Where depths are read when somebody scrapes. */
export interface MetricSources {
  readonly bridge: { counts(): BridgeCounts };
  readonly backbone: { status(): BackboneStatus };
  readonly store: { status(): Omit<StoreStatus, "because"> };
  readonly selfClock: { status(): SelfClockStatus };
  readonly signedTime: { delegationLeftSeconds(): number };
}

export interface Metrics extends MetricsText {
  /** Hand this to the bridge and to the device API. */
  readonly observer: BridgeObserver & DeviceApiObserver;
  readonly timeObserver: TimeObserver;
  /** Tells where depths are read; the bridge is made after its observer, so this comes later. Call once. */
  watch(sources: MetricSources): void;
  /** A TLS handshake failed. @param code the platform's error code */
  tlsFailed(code: string): void;
  close(): void;
}

/** Codes of failed handshakes told apart; a peer chooses how to fail, so later ones are `other`. */
export const TLS_FAILURE_CODES_MAX = 32;
/** A scrape takes milliseconds of the event loop: asked again sooner, the same text is the answer. */
export const SCRAPE_MILLIS_MIN = 1_000;

/** Why the bridge itself ended a session on time: these count as deadlines cut. */
const deadlineReasons: readonly string[] = ["token_expired", "key_expired", "connection_maximum"];

export function createMetrics(ports: { readonly clock: Pick<Clock, "monotonicMillis"> }): Metrics {
  const register = new Registry();
  const registers = [register];
  // Event-loop delay (nodejs_eventloop_lag_*), memory, CPU, garbage collection.
  collectDefaultMetrics({ register });

  const connects = new Counter({
    name: "mayfly_connects_total",
    help: "CONNECTs by outcome and reason; reason is the refusal's code, or 'none'.",
    labelNames: ["outcome", "reason", "protocol"],
    registers,
  });
  const connectSeconds = new Histogram({
    name: "mayfly_connect_seconds",
    help: "From the opening of a connection to its CONNACK.",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const verifySeconds = new Histogram({
    name: "mayfly_token_verify_seconds",
    help: "Time of one device token's verification, signature included.",
    labelNames: ["outcome"],
    buckets: [0.000_025, 0.000_05, 0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.005, 0.01],
    registers,
  });
  const authentications = new Counter({
    name: "mayfly_authentications_total",
    help: "Tokens judged, by bridge, purpose, whether a key of the device signed, and outcome: accepted, or the refusal's code.",
    labelNames: ["bridge", "purpose", "authenticity", "outcome"],
    registers,
  });
  const alarms = new Counter({
    name: "mayfly_alarms_total",
    help: "Alarms raised about devices, by kind; at most one in ten minutes for a device and kind.",
    labelNames: ["kind"],
    registers,
  });
  for (const kind of alarmKinds) alarms.inc({ kind }, 0);
  const disconnects = new Counter({
    name: "mayfly_disconnects_total",
    help: "Sessions ended, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const deadlinesCut = new Counter({
    name: "mayfly_deadlines_cut_total",
    help: "Sessions the bridge ended because their time was up, by whose time it was.",
    labelNames: ["reason"],
    registers,
  });
  const sessionsResumed = new Counter({
    name: "mayfly_sessions_resumed_total",
    help: "CONNECTs that went on with a kept Session.",
    registers,
  });
  const renewals = new Counter({
    name: "mayfly_renewals_total",
    help: "Tokens offered inside a live session (re-authentication), by outcome and reason.",
    labelNames: ["outcome", "reason"],
    registers,
  });
  const takeovers = new Counter({
    name: "mayfly_takeovers_total",
    help: "CONNECTs that replaced a live session of the same device.",
    registers,
  });
  const attaches = new Counter({
    name: "mayfly_attaches_total",
    help: "Devices that gateways wanted to attach, by outcome (attached, renewed, refused) and reason.",
    labelNames: ["outcome", "reason"],
    registers,
  });
  const detaches = new Counter({
    name: "mayfly_detaches_total",
    help: "Devices attached no longer, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const gatewayErrors = new Counter({
    name: "mayfly_gateway_errors_total",
    help: "Errors on gateways' errors topics, by type and outcome: told, or dropped.",
    labelNames: ["type", "outcome"],
    registers,
  });
  const published = createTalliedCounter({
    name: "mayfly_published_total",
    help: "Messages handed to the store, by kind and QoS.",
    labelNames: ["kind", "qos"],
    registers,
  });
  const publishedBytes = createTalliedCounter({
    name: "mayfly_published_bytes_total",
    help: "Payload bytes handed to the store, by kind.",
    labelNames: ["kind"],
    registers,
  });
  const publishToAck = createTalliedHistogram({
    name: "mayfly_publish_to_ack_seconds",
    help: "From a PUBLISH's arrival to its PUBACK, by kind.",
    label: "kind",
    values: ["events", "state"],
    upperBounds: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const tallies = {
    events: {
      messages: [published.of({ kind: "events", qos: 0 }), published.of({ kind: "events", qos: 1 })],
      bytes: publishedBytes.of({ kind: "events" }),
    },
    state: {
      messages: [published.of({ kind: "state", qos: 0 }), published.of({ kind: "state", qos: 1 })],
      bytes: publishedBytes.of({ kind: "state" }),
    },
  } as const;
  const notStored = new Counter({
    name: "mayfly_not_stored_total",
    help: "Messages the store refused, by QoS (0 is lost, 1 stays unacknowledged) and reason.",
    labelNames: ["qos", "reason"],
    registers,
  });
  const sent = new Counter({
    name: "mayfly_sent_total",
    help: "Configs and commands sent to devices, by kind and QoS.",
    labelNames: ["kind", "qos"],
    registers,
  });

  const httpCalls = new Counter({
    name: "mayfly_http_device_calls_total",
    help: "Calls of the device HTTPS API by call and HTTP status; 200 of an event or state means durable.",
    labelNames: ["call", "status"],
    registers,
  });
  const httpRefused = new Counter({
    name: "mayfly_http_device_refused_total",
    help: "Requests of the device HTTPS API that were not admitted, by reason.",
    labelNames: ["reason"],
    registers,
  });

  const timeRequests = new Counter({
    name: "mayfly_time_requests_total",
    help: "Requests for signed time by way (udp, https) and outcome: 'answered', or why not.",
    labelNames: ["way", "outcome"],
    registers,
  });

  const tlsFailures = new Counter({
    name: "mayfly_tls_failures_total",
    help: "TLS handshakes of device connections that failed, by error code.",
    labelNames: ["code"],
    registers,
  });
  const tlsFailureCodes = new Set<string>();
  let scraped: { readonly atMillis: number; readonly text: Promise<string> } | undefined;

  const observer: Metrics["observer"] = {
    verified: ({ micros, outcome }) => verifySeconds.observe({ outcome }, micros / 1e6),
    attempted: ({ bridge, purpose, authenticity, outcome }) =>
      authentications.inc({ bridge, purpose, authenticity, outcome }),
    alarm: ({ kind }) => alarms.inc({ kind }),
    connected({ protocolVersion, tookOver, resumed, millis }) {
      connects.inc({ outcome: "accepted", reason: "none", protocol: protocolVersion });
      connectSeconds.observe(millis / 1000);
      if (tookOver) takeovers.inc();
      if (resumed) sessionsResumed.inc();
    },
    connectRefused: ({ because }) => connects.inc({ outcome: "refused", reason: because, protocol: "any" }),
    renewed: () => renewals.inc({ outcome: "accepted", reason: "none" }),
    renewalRefused: ({ because }) => renewals.inc({ outcome: "refused", reason: because }),
    disconnected({ because }) {
      disconnects.inc({ reason: because });
      if (deadlineReasons.includes(because)) deadlinesCut.inc({ reason: because });
    },
    published({ kind, qos, payloadBytes }) {
      const { messages, bytes } = tallies[kind];
      messages[qos].add(1);
      bytes.add(payloadBytes);
    },
    acknowledged: ({ kind, millis }) => publishToAck.observe(kind, millis / 1000),
    attached: ({ isRenewal }) =>
      attaches.inc({ outcome: isRenewal ? "renewed" : "attached", reason: "none" }),
    attachRefused: ({ because }) => attaches.inc({ outcome: "refused", reason: because }),
    detached: ({ because }) => detaches.inc({ reason: because }),
    gatewayError: ({ type, isTold }) => gatewayErrors.inc({ type, outcome: isTold ? "told" : "dropped" }),
    notStored: ({ qos, because }) => notStored.inc({ qos, reason: because }),
    sent: ({ kind, qos }) => sent.inc({ kind, qos }),
    requestAnswered: ({ call, httpStatus }) => httpCalls.inc({ call, status: httpStatus }),
    requestRefused: ({ because }) => httpRefused.inc({ reason: because }),
  };

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }

  return {
    observer,
    timeObserver: { timeAsked: ({ way, outcome }) => timeRequests.inc({ way, outcome }) },
    watch({ bridge, backbone, store, selfClock, signedTime }) {
      gauge(
        "mayfly_time_delegation_left_seconds",
        "Until signed time ends for want of a delegation; 0 when there is none.",
        () => signedTime.delegationLeftSeconds(),
      );
      const count = (name: keyof BridgeCounts) => () => bridge.counts()[name];
      gauge("mayfly_connections", "Network connections open.", count("connections"));
      gauge("mayfly_connections_unauthenticated", "Of these, not admitted yet.", count("unauthenticated"));
      gauge("mayfly_sessions", "Devices connected.", count("sessions"));
      gauge("mayfly_attached", "Devices attached to gateways.", count("attached"));
      gauge(
        "mayfly_deadlines",
        "Connections and attached devices waiting for a due time.",
        count("deadlines"),
      );
      gauge(
        "mayfly_unacknowledged",
        "PUBLISHes handed to the store and not answered.",
        count("unacknowledged"),
      );
      gauge("mayfly_held", "PUBLISHes decoded and held back.", count("held"));
      gauge("mayfly_held_bytes", "Bytes of these.", count("heldBytes"));
      gauge(
        "mayfly_in_flight_messages",
        "PUBLISHes handed to the store and not answered, of connections that are gone too.",
        count("inFlightMessages"),
      );
      gauge("mayfly_in_flight_bytes", "Payload bytes of these.", count("inFlightBytes"));
      gauge("mayfly_admissions_waiting", "CONNECTs that wait to be judged.", count("admissionsWaiting"));
      gauge(
        "mayfly_downlink_in_flight",
        "Configs and commands sent and not acknowledged.",
        count("downlinkInFlight"),
      );
      gauge(
        "mayfly_rejudgements",
        "Sessions to be judged again after a change of the registry.",
        count("rejudgements"),
      );
      gauge(
        "mayfly_backbone_queue_messages",
        "Messages not durable yet.",
        () => backbone.status().queuedMessages,
      );
      gauge("mayfly_backbone_queue_bytes", "Bytes of these.", () => backbone.status().queuedBytes);
      gauge("mayfly_backbone_healthy", "1 when messages become durable.", () =>
        Number(backbone.status().healthy),
      );
      gauge(
        "mayfly_registry_queue_writes",
        "Registry writes not durable yet.",
        () => store.status().queuedWrites,
      );
      gauge(
        "mayfly_authentication_records_dropped",
        "Authentication records lost since the start because too many waited to be written.",
        () => store.status().recordsDropped,
      );
      gauge("mayfly_registry_healthy", "1 when the registry can be written.", () =>
        Number(store.status().healthy),
      );
      gauge("mayfly_clock_self", "1 while the bridge does not trust its own clock.", () =>
        Number(!selfClock.status().isTrusted),
      );
      gauge(
        "mayfly_clock_wall_ahead_seconds",
        "This machine's wall clock less the time the bridge believes.",
        () => selfClock.status().wallAheadSeconds,
      );
      new Counter({
        name: "mayfly_clock_steps_total",
        help: "Steps of this machine's clock by the timeline that was believed at once: the wall's or the former.",
        labelNames: ["believed"],
        registers,
        collect() {
          const { wall, former } = selfClock.status().steps;
          this.reset();
          this.inc({ believed: "wall" }, wall);
          this.inc({ believed: "former" }, former);
        },
      });
    },
    tlsFailed(code) {
      if (tlsFailureCodes.size < TLS_FAILURE_CODES_MAX) tlsFailureCodes.add(code);
      tlsFailures.inc({ code: tlsFailureCodes.has(code) ? code : "other" });
    },
    contentType: register.contentType,
    text() {
      const atMillis = ports.clock.monotonicMillis();
      if (scraped === undefined || atMillis - scraped.atMillis >= SCRAPE_MILLIS_MIN) {
        scraped = { atMillis, text: register.metrics().then((text) => `${text}\n${publishToAck.text()}`) };
      }
      return scraped.text;
    },
    close: () => register.clear(),
  };
}

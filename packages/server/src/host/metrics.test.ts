import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics, SCRAPE_MILLIS_MIN, TLS_FAILURE_CODES_MAX } from "./metrics.ts";

function openMetrics() {
  const clock = { now: 0, monotonicMillis: () => clock.now };
  return { clock, metrics: createMetrics({ clock }) };
}

const link = { remoteAddress: "192.0.2.1" };

test("a refused CONNECT is counted by its reason, without the peer's name", async () => {
  const { metrics } = openMetrics();

  metrics.observer.connectRefused({ because: "token_expired", link });
  const text = await metrics.text();

  assert.match(text, /mayfly_connects_total\{outcome="refused",reason="token_expired",protocol="any"\} 1/);
  assert.ok(!text.includes("192.0.2.1"));
});

test("HTTP calls are counted by call and status, refusals by reason, without the device's name", async () => {
  const { metrics } = openMetrics();
  const deviceName = { project: "mayfly", location: "here", registry: "greenhouse", device: "fern" };

  metrics.observer.requestAnswered({ call: "publishEvent", httpStatus: 200 });
  metrics.observer.requestRefused({ because: "token_expired", deviceName, remoteAddress: "192.0.2.1" });
  const text = await metrics.text();

  assert.match(text, /mayfly_http_device_calls_total\{call="publishEvent",status="200"\} 1/);
  assert.match(text, /mayfly_http_device_refused_total\{reason="token_expired"\} 1/);
  assert.ok(!text.includes("fern") && !text.includes("192.0.2.1"));
});

test("acknowledgement and verification times are histograms in seconds", async () => {
  const { metrics } = openMetrics();

  metrics.observer.acknowledged({ kind: "events", millis: 4 });
  metrics.observer.verified({ micros: 90, outcome: "accepted" });
  const text = await metrics.text();

  assert.match(text, /mayfly_publish_to_ack_seconds_sum\{kind="events"\} 0\.004/);
  assert.match(text, /mayfly_token_verify_seconds_bucket\{le="0\.0001",outcome="accepted"\} 1/);
});

test("depths are read at the scrape, and the event loop's delay is there", async () => {
  const { metrics } = openMetrics();
  const counts = {
    connections: 7,
    unauthenticated: 0,
    sessions: 5,
    deadlines: 7,
    unacknowledged: 3,
    held: 0,
    heldBytes: 0,
    downlinkInFlight: 0,
    inFlightMessages: 0,
    inFlightBytes: 0,
    loadWaiters: 0,
    admissionsWaiting: 0,
    rejudgements: 0,
  };

  metrics.watch({
    bridge: { counts: () => counts },
    backbone: { status: () => ({ healthy: true, queuedMessages: 11, queuedBytes: 12 }) },
    store: { status: () => ({ healthy: false, queuedWrites: 13 }) },
    selfClock: {
      status: () => ({
        isTrusted: false,
        steps: { wall: 1, former: 2 },
        wallAheadSeconds: 3600,
        isSynchronisationLost: false,
      }),
    },
  });
  const text = await metrics.text();

  assert.match(text, /^mayfly_sessions 5$/m);
  assert.match(text, /^mayfly_backbone_queue_messages 11$/m);
  assert.match(text, /^mayfly_registry_queue_writes 13$/m);
  assert.match(text, /^mayfly_registry_healthy 0$/m);
  assert.match(text, /^mayfly_clock_self 1$/m);
  assert.match(text, /^mayfly_clock_steps_total\{believed="former"\} 2$/m);
  assert.match(text, /^mayfly_clock_wall_ahead_seconds 3600$/m);
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
});

test("failed handshakes are told apart up to a bound, then counted as other", async () => {
  const { metrics } = openMetrics();

  for (let i = 0; i < TLS_FAILURE_CODES_MAX + 5; i++) metrics.tlsFailed(`ERR_${i}`);
  metrics.tlsFailed("ERR_0");
  const text = await metrics.text();

  assert.match(text, /mayfly_tls_failures_total\{code="ERR_0"\} 2/);
  assert.match(text, /mayfly_tls_failures_total\{code="other"\} 5/);
});

test("a second scrape within a second gets the same text", async () => {
  const { clock, metrics } = openMetrics();

  const first = await metrics.text();
  metrics.observer.acknowledged({ kind: "events", millis: 4 });
  const same = await metrics.text();
  clock.now += SCRAPE_MILLIS_MIN;
  const later = await metrics.text();

  assert.equal(same, first);
  assert.notEqual(later, first);
});

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

test("attempts are counted by what was proved and what came of it, alarms by kind, each kind from the start", async () => {
  const { metrics } = openMetrics();
  const device = { project: "mayfly", location: "here", registry: "greenhouse", device: "fern" };
  const way = { bridge: "mqtt", purpose: "reauthenticate" } as const;

  metrics.observer.attempted({ ...way, authenticity: "authentic", outcome: "token_expired" });
  metrics.observer.attempted({ ...way, authenticity: "unchecked", outcome: "failure_limit" });
  metrics.observer.alarm({ kind: "shared_key", device, addresses: ["192.0.2.1", "198.51.100.7"] });
  const text = await metrics.text();

  const counted = [...text.matchAll(/^mayfly_(?:authentications|alarms)_total\{(.*)\} (\d+)$/gm)];
  assert.deepEqual(
    counted.map(([, labels, count]) => `${labels} ${count}`),
    [
      'bridge="mqtt",purpose="reauthenticate",authenticity="authentic",outcome="token_expired" 1',
      'bridge="mqtt",purpose="reauthenticate",authenticity="unchecked",outcome="failure_limit" 1',
      'kind="takeover_storm" 0',
      'kind="shared_key" 1',
      'kind="token_reused" 0',
      'kind="forked_series" 0',
    ],
  );
  assert.ok(!text.includes("fern") && !text.includes("192.0.2.1"));
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
    attached: 6,
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
    store: { status: () => ({ healthy: false, queuedWrites: 13, recordsDropped: 0 }) },
    selfClock: {
      status: () => ({
        isTrusted: false,
        steps: { wall: 1, former: 2 },
        wallAheadSeconds: 3600,
        isSynchronisationLost: false,
      }),
    },
    signedTime: { delegationLeftSeconds: () => 14 },
  });
  metrics.timeObserver.timeAsked({ way: "udp", outcome: "rate_limited" });
  const text = await metrics.text();

  assert.match(text, /^mayfly_sessions 5$/m);
  assert.match(text, /^mayfly_attached 6$/m);
  assert.match(text, /^mayfly_backbone_queue_messages 11$/m);
  assert.match(text, /^mayfly_registry_queue_writes 13$/m);
  assert.match(text, /^mayfly_registry_healthy 0$/m);
  assert.match(text, /^mayfly_clock_self 1$/m);
  assert.match(text, /^mayfly_clock_steps_total\{believed="former"\} 2$/m);
  assert.match(text, /^mayfly_clock_wall_ahead_seconds 3600$/m);
  assert.match(text, /^mayfly_time_delegation_left_seconds 14$/m);
  assert.match(text, /^mayfly_time_requests_total\{way="udp",outcome="rate_limited"\} 1$/m);
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

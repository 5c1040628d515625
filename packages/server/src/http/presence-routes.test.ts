import assert from "node:assert/strict";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { PresenceLine } from "@mayfly/core/admin";
import {
  type AdminHouse,
  countingRandom,
  lab,
  openAdminHouse,
  portOf,
  startSeconds,
  timers,
} from "../../test/http/admin-house.ts";
import type { PresenceWay } from "../presence/presence.ts";
import { PresenceBook } from "../presence/presence-book.ts";
import { PresenceHistory } from "../presence/presence-history.ts";
import { ApiError } from "./api-error.ts";
import { createPresenceStreams } from "./presence-stream.ts";

const plant = { project: "mayfly", location: "lab", registry: "plant" };
const attic = { ...plant, registry: "attic" };
const direct: PresenceWay = { kind: "direct" };
const started = new Date(startSeconds * 1000).toISOString();

async function openPlant(...ids: readonly string[]) {
  const house = await openAdminHouse();
  await house.call("POST", `/mayfly${lab}`, { id: "plant" });
  const devices = [];
  for (const id of ids) {
    const { body } = await house.call("POST", `${lab}/plant/devices`, { id });
    devices.push({ registry: plant, deviceId: id, deviceNumId: String(body.numId) });
  }
  return { house, devices };
}

/** A book and its last events, small, and the streams over them. */
function openStreams(options: { readonly kept?: number; readonly streamsMax?: number } = {}) {
  const clock = { wallSeconds: () => startSeconds, monotonicMillis: () => 0 };
  const history = new PresenceHistory(countingRandom(), options.kept);
  const book = new PresenceBook({
    ...{ clock, timers: { after: () => () => undefined }, registry: { recordActivity: () => undefined } },
    tell: history.append.bind(history),
  });
  const streams = createPresenceStreams({ presence: { book, history }, timers }, options.streamsMax);
  return { book, history, streams };
}

const deviceOf = (deviceId: string, registry = plant) => ({ registry, deviceId, deviceNumId: deviceId });

/** Each line in a few words. */
function describe(line: PresenceLine): string {
  if (line.kind === "snapshot") return `snapshot ${line.online}`;
  if (line.kind === "state") return `state ${line.state.deviceId} ${line.state.state}`;
  if (line.kind === "current") return "current";
  return `change ${line.change.deviceId} ${line.change.state} ${line.change.because}`;
}

class LineReader {
  readonly lines: PresenceLine[] = [];
  #text = "";

  constructor(stream: Readable) {
    stream.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
      const parts = this.#text.split("\n");
      this.#text = parts.pop() ?? "";
      this.lines.push(...parts.filter((part) => part !== "").map((part) => JSON.parse(part)));
    });
  }

  get words(): readonly string[] {
    return this.lines.map(describe);
  }

  get position(): string {
    return this.lines.flatMap((line) => ("position" in line ? [line.position] : [])).at(-1) ?? "";
  }
}

async function listed(house: AdminHouse, query: string): Promise<readonly string[]> {
  const { body } = await house.call("GET", `/mayfly${lab}/plant/devices${query}`);
  return body.devices.map(({ device }: { device: { id: string } }) => device.id);
}

test("a device's details say whether it is online, since when and why", async () => {
  const { house, devices } = await openPlant("fern");
  const show = async () => (await house.call("GET", `/mayfly${lab}/plant/devices/fern`)).body.presence;
  const [fern] = devices;
  assert.ok(fern !== undefined);

  const never = await show();
  house.presence.book.arrived(fern, direct);
  const online = await show();
  house.presence.book.left(fern, direct, "may_return", "link_lost");
  const away = await show();
  house.presence.book.left(fern, direct, "put_out", "device_blocked");
  house.presence.close();
  const offline = await show();

  assert.equal(never, undefined);
  assert.deepEqual(online, { state: "ONLINE", since: started, because: "connected" });
  assert.deepEqual(away, { ...online, lostTime: started });
  assert.deepEqual(offline, { state: "OFFLINE", since: started, because: "link_lost" });
});

test("devices are listed by presence: online, offline, or never online", async () => {
  const { house, devices } = await openPlant("fern", "moss", "pine");
  const [fern, moss] = devices;
  assert.ok(fern !== undefined && moss !== undefined);
  house.presence.book.arrived(fern, { kind: "gateway", gatewayId: "hall" });
  house.presence.book.arrived(moss, direct);
  house.presence.book.left(moss, direct, "put_out", "device_blocked");

  assert.deepEqual(await listed(house, "?presence=ONLINE"), ["fern"]);
  assert.deepEqual(await listed(house, "?presence=OFFLINE"), ["moss"]);
  assert.deepEqual(await listed(house, "?presence=NEVER_ONLINE"), ["pine"]);
  assert.deepEqual(await listed(house, ""), ["fern", "moss", "pine"]);
  assert.deepEqual(await listed(house, "?pageSize=1&presence=OFFLINE"), [], "the filter looks at one page");
  const whole = await house.call("GET", `/mayfly${lab}/plant/devices?presence=ONLINE&fieldMask=blocked`);
  assert.equal(whole.body.devices[0].presence.gatewayId, "hall");
  assert.equal((await house.call("GET", `/mayfly${lab}/plant/devices?presence=AWAY`)).status, 400);
});

test("the stream begins with who is online, goes on with changes, and ends with the server", async () => {
  const { house, devices } = await openPlant("fern", "moss");
  const [fern, moss] = devices;
  assert.ok(fern !== undefined && moss !== undefined);
  house.presence.book.arrived(fern, direct);
  await house.app.listen({ host: "127.0.0.1", port: 0 });

  const url = `http://127.0.0.1:${portOf(house.app)}/mayfly${lab}/plant:watchPresence`;
  const response = await fetch(url, { headers: { authorization: "Bearer mayfly_test-token" } });
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk);
    if (text.includes("current") && house.presence.book.counts().online === 1) {
      house.presence.book.arrived(moss, direct);
    }
    if (text.includes('"change"')) void house.app.close();
  }

  const lines = text.split("\n").filter((line) => line !== "");
  const first: PresenceLine[] = lines.slice(0, 4).map((line) => JSON.parse(line));
  assert.equal(response.headers.get("content-type"), "application/x-ndjson; charset=utf-8");
  assert.deepEqual(first.map(describe), [
    ...["snapshot 1", "state fern ONLINE", "current", "change moss ONLINE connected"],
  ]);
});

test("who comes back with its last position gets what it missed of its registry, and no snapshot", async () => {
  const { book, history, streams } = openStreams();
  const first = streams.open(plant, undefined);
  const seen = new LineReader(first);
  await turn();
  book.arrived(deviceOf("fern"), direct);
  await turn();
  first.destroy();
  const [epoch = "", sequence] = seen.position.split(".");

  book.arrived(deviceOf("rat", attic), direct);
  book.left(deviceOf("fern"), direct, "put_out", "device_blocked");
  const again = streams.open(plant, { epoch, sequence: Number(sequence) });
  const missed = new LineReader(again);
  await turn();
  again.destroy();

  assert.deepEqual(seen.words, ["snapshot 0", "current", "change fern ONLINE connected"]);
  assert.deepEqual(missed.words, ["change fern OFFLINE device_blocked"]);
  assert.equal(missed.position, `${history.end.epoch}.${history.end.sequence}`);
});

for (const [which, place] of [
  ["of another process", { epoch: "0000000000000000", sequence: 2 }],
  ["that is no longer kept", "old"],
  ["that was never reached", "future"],
] as const) {
  test(`a position ${which} is answered with a snapshot`, async () => {
    const { book, history, streams } = openStreams({ kept: 2 });
    const { epoch } = history.end;
    for (const id of ["a", "b", "c"]) book.arrived(deviceOf(id), direct);

    const from =
      place === "old" ? { epoch, sequence: 0 } : place === "future" ? { epoch, sequence: 4 } : place;
    const stream = streams.open(plant, from);
    const reader = new LineReader(stream);
    await turn();
    stream.destroy();

    assert.deepEqual(reader.words, [
      ...["snapshot 3", "state a ONLINE", "state b ONLINE", "state c ONLINE", "current"],
    ]);
  });
}

test("a position at the edge of what is kept loses nothing", async () => {
  const { book, history, streams } = openStreams({ kept: 2 });
  for (const id of ["a", "b", "c"]) book.arrived(deviceOf(id), direct);

  const stream = streams.open(plant, { ...history.end, sequence: 1 });
  const reader = new LineReader(stream);
  await turn();
  stream.destroy();

  assert.deepEqual(reader.words, ["change b ONLINE connected", "change c ONLINE connected"]);
});

test("a reader that falls behind all that is kept is given a new snapshot, and nothing queues for it", async () => {
  const { book, streams } = openStreams({ kept: 10 });
  const stream = streams.open(plant, undefined);
  await turn();

  // Nobody reads: what the stream itself holds is bounded, what comes later is not held at all.
  for (let i = 0; i < 2_000; i++) {
    book.arrived(deviceOf(`d-${i}`), direct);
    book.left(deviceOf(`d-${i}`), direct, "put_out", "device_blocked");
  }
  const heldBytes = stream.readableLength;
  const reader = new LineReader(stream);
  for (let i = 0; i < 2_000 && reader.words.at(-1) !== "current"; i++) await turn();
  await turn();
  stream.destroy();

  const snapshots = reader.words.filter((words) => words.startsWith("snapshot"));
  assert.ok(heldBytes <= 128 * 1024, `${heldBytes} bytes wait`);
  assert.equal(reader.words.at(-1), "current");
  assert.deepEqual(snapshots, ["snapshot 0", "snapshot 0"]);
});

test("one stream too many is refused, and a closed one makes room", async () => {
  const { streams } = openStreams({ streamsMax: 1 });
  const first = streams.open(plant, undefined);

  assert.throws(
    () => streams.open(plant, undefined),
    (error) => error instanceof ApiError && error.status === "RESOURCE_EXHAUSTED",
  );
  first.destroy();
  await once(first, "close");
  streams.open(plant, undefined).destroy();
  streams.close();

  assert.throws(
    () => streams.open(plant, undefined),
    (error) => error instanceof ApiError && error.status === "UNAVAILABLE",
  );
});

test("a position that no stream gave is refused", async () => {
  const { house } = await openPlant();

  const answer = await house.call("GET", `/mayfly${lab}/plant:watchPresence?after=yesterday`);

  assert.equal(answer.status, 400);
  assert.match(answer.body.error.message, /'after'/);
});

/** Rounds of the client in virtual time: whom it asks, when it stops, and what it says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DatagramWorld, type Serve } from "../../../test/datagram-world.ts";
import { type AnswerFields, ntpAnswer, ntpKiss } from "../../../test/ntp-answers.ts";
import { AgentOptionError } from "../../options.ts";
import { roundMillisMax } from "./round-plan.ts";
import { SntpClient, type SntpRound, sntpServersMax } from "./sntp-client.ts";

const floorSeconds = 1_767_225_600;
const yearSeconds = 31_536_000;

/** A world with these servers, and a client that asks them all. */
function arrange(seed: string, serves: Readonly<Record<string, Serve | undefined>>) {
  const net = new DatagramWorld(seed);
  for (const [host, serve] of Object.entries(serves)) if (serve !== undefined) net.serve(host, serve);
  const servers = Object.keys(serves).map((host) => ({ host, port: 123 }));
  const client = new SntpClient(net.ports, { servers, floorSeconds });
  /** Asks, and lets a round's time pass. */
  const round = async (): Promise<SntpRound> => {
    const rounds: SntpRound[] = [];
    client.ask((outcome) => rounds.push(outcome));
    await net.world.run(roundMillisMax);
    const [only] = rounds;
    assert.ok(only !== undefined && rounds.length === 1, `told ${rounds.length} times`);
    return only;
  };
  return { net, client, round, news: () => client.servers().map((server) => server.news) };
}

/** Serves the world's time, wrong by so much; the world is known once the first question comes. */
class Clocks {
  net: DatagramWorld | undefined;
  wrongBy(seconds: number, change: Partial<AnswerFields> = {}): Serve {
    return (request, reply) =>
      reply(ntpAnswer(request, { receivedSeconds: (this.net?.now() ?? 0) + seconds, ...change }));
  }
}

function arrangeClocks(seed: string, make: (clocks: Clocks) => Readonly<Record<string, Serve | undefined>>) {
  const clocks = new Clocks();
  const arranged = arrange(seed, make(clocks));
  clocks.net = arranged.net;
  return arranged;
}

const silent: Serve = () => {};

/** How wrong a round's sample is about the world's time. */
function errorOf(net: DatagramWorld, round: SntpRound): number {
  assert.ok(round.kind !== "none", `none: ${JSON.stringify(round)}`);
  const ageSeconds = (net.world.clock.monotonicMillis() - round.sample.atMillis) / 1000;
  return round.sample.seconds + ageSeconds - net.now();
}

test("three servers that agree are told as three of three, and the time is right within its bound", async () => {
  const { net, round, news } = arrangeClocks("agree", (clocks) => ({
    a: clocks.wrongBy(0.001),
    b: clocks.wrongBy(0),
    c: clocks.wrongBy(-0.001),
  }));

  const outcome = await round();

  assert.ok(outcome.kind === "agreed");
  assert.deepEqual([outcome.servers, outcome.of], [3, 3]);
  assert.ok(Math.abs(errorOf(net, outcome)) <= outcome.sample.boundSeconds);
  assert.deepEqual(news(), ["answered", "answered", "answered"]);
});

test("an honest round is one packet to each server, with one socket open at a time and none afterwards", async () => {
  const { net, round } = arrangeClocks("one socket", (clocks) => ({
    a: clocks.wrongBy(0),
    b: clocks.wrongBy(0),
    c: clocks.wrongBy(0),
    d: clocks.wrongBy(0),
  }));

  await round();

  assert.equal(net.sent.length, 4);
  assert.deepEqual([net.socketsOpenMax, net.socketsOpen], [1, 0]);
  const nonces = new Set(net.sent.map(({ bytes }) => Buffer.from(bytes.subarray(40)).toString("hex")));
  assert.equal(nonces.size, 4);
});

test("a server alone a year off is a single, never an agreement", async () => {
  const { net, round } = arrangeClocks("alone", (clocks) => ({ liar: clocks.wrongBy(yearSeconds) }));

  const outcome = await round();

  assert.equal(outcome.kind, "single");
  assert.ok(Math.abs(errorOf(net, outcome) - yearSeconds) < 1);
});

test("two servers that agree are a single: two make no majority", async () => {
  const { round } = arrangeClocks("two", (clocks) => ({
    a: clocks.wrongBy(0),
    b: clocks.wrongBy(0),
    c: silent,
  }));

  assert.equal((await round()).kind, "single");
});

test("one of three a year off is outvoted", async () => {
  const { net, round } = arrangeClocks("outvoted", (clocks) => ({
    liar: clocks.wrongBy(yearSeconds, { rootDelaySeconds: 0, rootDispersionSeconds: 0 }),
    b: clocks.wrongBy(0),
    c: clocks.wrongBy(0),
  }));

  const outcome = await round();

  assert.ok(outcome.kind === "agreed");
  assert.deepEqual([outcome.servers, outcome.of], [2, 3]);
  assert.ok(Math.abs(errorOf(net, outcome)) < 0.1);
});

test("two of three a year off are told for what they are: a majority, and not all", async () => {
  const { net, round } = arrangeClocks("outnumbered", (clocks) => ({
    a: clocks.wrongBy(yearSeconds),
    b: clocks.wrongBy(yearSeconds),
    c: clocks.wrongBy(0),
  }));

  const outcome = await round();

  assert.ok(outcome.kind === "agreed");
  assert.deepEqual([outcome.servers, outcome.of], [2, 3]);
  assert.ok(errorOf(net, outcome) > yearSeconds - 1);
});

test("servers that contradict each other bring no time", async () => {
  const { round } = arrangeClocks("quarrel", (clocks) => ({
    a: clocks.wrongBy(0),
    b: clocks.wrongBy(100),
    c: clocks.wrongBy(200),
  }));

  assert.deepEqual(await round(), { kind: "none", because: "servers_disagree" });
});

test("a silent server gets four packets, 2 s apart, and a round ends within 24 s", async () => {
  const { net, round, news } = arrange("silence", { a: silent, b: silent, c: silent, d: silent });

  const outcome = await round();

  assert.deepEqual(outcome, { kind: "none", because: "no_answer" });
  for (const host of ["a", "b", "c", "d"]) {
    const sent = net.sentTo(host);
    assert.ok(sent.length <= 4, `${sent.length} packets to ${host}`);
    for (const [index, at] of sent.entries()) assert.ok(index === 0 || at - (sent[index - 1] ?? 0) >= 2_000);
  }
  assert.deepEqual(news(), Array(4).fill("silence"));
});

test("after the start a server is asked once in 64 s at the most, however often somebody wants to know", async () => {
  const { net, round } = arrange("impatience", { a: silent });

  const outcomes: SntpRound[] = [];
  for (let times = 0; times < 20; times++) outcomes.push(await round());

  const sent = net.sentTo("a");
  for (let index = 4; index < sent.length; index++) {
    assert.ok((sent[index] ?? 0) - (sent[index - 1] ?? 0) >= 64_000);
  }
  assert.ok(sent.length >= 9 && sent.length <= 12, `${sent.length} packets in 8 minutes`);
  assert.deepEqual(outcomes[1], { kind: "none", because: "not_due" });
});

test("a server that says DENY is never asked again, and the others are", async () => {
  const { net, round, news } = arrangeClocks("deny", (clocks) => ({
    a: (request, reply) => reply(ntpKiss(request, "DENY")),
    b: clocks.wrongBy(0),
  }));

  for (let times = 0; times < 10; times++) await round();

  assert.equal(net.sentTo("a").length, 1);
  assert.ok(net.sentTo("b").length >= 4);
  assert.deepEqual(news()[0], "told_stop");
});

test("when all say RSTR the round says so", async () => {
  const { round } = arrange("all stop", { a: (request, reply) => reply(ntpKiss(request, "RSTR")) });

  const outcomes = [await round(), await round()];

  assert.deepEqual(outcomes, Array(2).fill({ kind: "none", because: "servers_stopped" }));
});

test("a server that says RATE is asked half as often", async () => {
  const { net, round, news } = arrange("rate", { a: (request, reply) => reply(ntpKiss(request, "RATE")) });

  for (let times = 0; times < 20; times++) await round();

  const [first = 0, second = 0, third = 0] = net.sentTo("a");
  assert.ok(second - first >= 128_000 && third - second >= 256_000, `${first} ${second} ${third}`);
  assert.deepEqual(news(), ["told_slower"]);
});

test("a forged DENY, to another question, stops nobody: the true answer is waited for", async () => {
  const { net, round, news } = arrange("forged kiss", {
    a: (request, reply) => {
      reply(ntpKiss(request, "DENY", { origin: new Uint8Array(8) }));
      reply(ntpAnswer(request, { receivedSeconds: net.now() }), 5);
    },
  });

  const outcome = await round();

  assert.equal(outcome.kind, "single");
  assert.deepEqual(news(), ["answered"]);
});

test("of two answers to one question the first counts, and the second finds no socket", async () => {
  const { net, round } = arrange("twice", {
    a: (request, reply) => {
      reply(ntpAnswer(request, { receivedSeconds: net.now() }));
      reply(ntpAnswer(request, { receivedSeconds: net.now() + 1 }), 1);
    },
  });

  const outcome = await round();

  assert.ok(Math.abs(errorOf(net, outcome)) < 0.1);
});

test("a name that is not known ends that server's part of the round, and costs no packet", async () => {
  const { net, round, news } = arrangeClocks("no name", (clocks) => ({ a: undefined, b: clocks.wrongBy(0) }));

  const outcome = await round();

  assert.equal(outcome.kind, "single");
  assert.deepEqual([net.sentTo("a").length, ...news()], [0, "unreachable", "answered"]);
});

test("a server that answered before and is silent now has no vote", async () => {
  let isSilent = false;
  const { net, round } = arrange("memory", {
    a: (request, reply) => {
      if (!isSilent) reply(ntpAnswer(request, { receivedSeconds: net.now() }));
    },
  });
  await round();
  isSilent = true;

  assert.deepEqual(await round(), { kind: "none", because: "no_answer" });
});

test("an earlier answer with a shorter way is preferred to a slow one of now", async () => {
  let delayMillis = 0;
  const { net, round } = arrange("filter", {
    a: (request, reply) => reply(ntpAnswer(request, { receivedSeconds: net.now() }), delayMillis),
  });
  await round();
  delayMillis = 600;

  const outcome = await round();

  assert.ok(outcome.kind === "single" && outcome.sample.boundSeconds < 0.05);
  assert.ok(Math.abs(errorOf(net, outcome)) <= outcome.sample.boundSeconds);
});

test("a round that is stopped tells nobody and leaves no socket; the next one begins anew", async () => {
  const { net, client, round } = arrangeClocks("stop", (clocks) => ({ a: clocks.wrongBy(0) }));
  let told = 0;
  client.ask(() => {
    told += 1;
  });
  await net.world.run(5);

  client.stop();
  await net.world.run(roundMillisMax);

  assert.deepEqual([told, net.socketsOpen], [0, 0]);
  assert.equal((await round()).kind, "single");
});

test("a second question while a round is under way is a bug of the caller, said at once", () => {
  const { client } = arrange("twice asked", { a: silent });
  client.ask(() => {});

  assert.throws(() => client.ask(() => {}), /one round at a time/);
});

test("no server, a fifth, one twice, no host and port 0 are refused", () => {
  const net = new DatagramWorld("options");
  const peer = (host: string, port = 123) => ({ host, port });
  const lists = [
    [],
    ["a", "b", "c", "d", "e"].map((host) => peer(host)),
    [peer("a"), peer("b"), peer("a")],
    [peer("")],
    [peer("a", 0)],
    [peer("a", 65_536)],
  ];

  for (const servers of lists) {
    assert.throws(() => new SntpClient(net.ports, { servers, floorSeconds }), AgentOptionError);
  }
  assert.equal(sntpServersMax, 4);
});

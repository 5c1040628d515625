/**
 * The SNTP client over real sockets: believed by and believing a real chronyd, and each kind of hostile server on
 * loopback. What goes out is judged by tshark.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { DatagramProxy } from "../../../../test/support/datagram-proxy.ts";
import { requireService } from "../../../../tools/services.ts";
import { createOpenDatagram } from "../../src/host/node/node-datagram.ts";
import { buildFloorSeconds, nodeClock, nodeRandom, nodeTimers } from "../../src/host/node/system-ports.ts";
import type { DatagramPeer } from "../../src/time/datagram-exchange.ts";
import { SntpClient, type SntpRound } from "../../src/time/sntp/sntp-client.ts";
import { type AnswerFields, ntpAnswer, ntpKiss } from "../ntp-answers.ts";
import { type Answer, bindLoopback, startAnswering, startChronyd } from "./loopback-time.ts";

const run = promisify(execFile);
const yearSeconds = 31_536_000;
const nowSeconds = () => Date.now() / 1000;

function clientOf(t: TestContext, ...servers: readonly DatagramPeer[]) {
  const client = new SntpClient(
    { clock: nodeClock, timers: nodeTimers, random: nodeRandom, openDatagram: createOpenDatagram() },
    { servers, floorSeconds: buildFloorSeconds },
  );
  t.after(() => client.stop());
  const ask = () => new Promise<SntpRound>((resolve) => client.ask(resolve));
  return { ask, news: () => client.servers().map((server) => server.news) };
}

/** How wrong a round's sample is about this machine's clock, seconds. */
function errorOf(round: SntpRound): number {
  assert.ok(round.kind !== "none", JSON.stringify(round));
  const ageSeconds = (nodeClock.monotonicMillis() - round.sample.atMillis) / 1000;
  return round.sample.seconds + ageSeconds - nowSeconds();
}

const wrongBy =
  (seconds: number, change: Partial<AnswerFields> = {}): Answer =>
  (request, reply) =>
    reply(ntpAnswer(request, { receivedSeconds: nowSeconds() + seconds, ...change }));

// Each waits for its own servers and for nothing of the others.
describe("SNTP over real sockets", { concurrency: true }, () => {
  test("a chronyd answers us, and its time is right within the bound", async (t) => {
    const { ask, news } = clientOf(t, await startChronyd(t, "local stratum 3"));

    const round = await ask();

    assert.deepEqual([round.kind, ...news()], ["single", "answered"]);
    assert.ok(round.kind === "single");
    t.diagnostic(
      `${(errorOf(round) * 1000).toFixed(2)} ms off, bound ${(round.sample.boundSeconds * 1000).toFixed(1)} ms`,
    );
    assert.ok(Math.abs(errorOf(round)) <= round.sample.boundSeconds + 0.01);
  });

  test("three chronyds agree, and outvote a server that is a year off", async (t) => {
    const daemons = [1, 2, 3].map((stratum) => startChronyd(t, `local stratum ${stratum}`));
    const liar = await startAnswering(t, wrongBy(yearSeconds, { rootDelaySeconds: 0 }));
    const { ask, news } = clientOf(t, liar, ...(await Promise.all(daemons)));

    const round = await ask();

    assert.ok(round.kind === "agreed", JSON.stringify(round));
    assert.deepEqual([round.servers, round.of, ...news()], [3, 4, ...Array(4).fill("answered")]);
    assert.ok(Math.abs(errorOf(round)) <= round.sample.boundSeconds + 0.01);
  });

  /** A chronyd behind a network that the test decides over. */
  async function startBehindProxy(t: TestContext): Promise<{ proxy: DatagramProxy; peer: DatagramPeer }> {
    const proxy = await DatagramProxy.start(await startChronyd(t, "local stratum 3"));
    t.after(() => proxy.close());
    return { proxy, peer: { host: "127.0.0.1", port: proxy.port } };
  }

  test("behind a slow and lopsided way, 400 ms there and none back, a chronyd's time is wrong within its bound", async (t) => {
    const { proxy, peer } = await startBehindProxy(t);
    proxy.alter = (datagram, way) => {
      proxy.delayMillis = way === "to_server" ? 400 : 0;
      return [datagram];
    };

    const round = await clientOf(t, peer).ask();

    assert.ok(round.kind === "single");
    const error = Math.abs(errorOf(round));
    t.diagnostic(
      `${(error * 1000).toFixed(1)} ms off, bound ${(round.sample.boundSeconds * 1000).toFixed(1)} ms`,
    );
    assert.ok(error > 0.19, "the way was lopsided");
    assert.ok(error <= round.sample.boundSeconds);
  });

  test("a lost question and a lost answer are asked again, and answers that come twice count once", async (t) => {
    const { proxy, peer } = await startBehindProxy(t);
    let passing = 0;
    proxy.alter = (datagram) => {
      passing += 1;
      // The first question is lost, the second one's answer is; of the third all comes twice.
      if (passing === 1 || passing === 3) return [];
      return passing === 2 ? [datagram] : [datagram, datagram];
    };
    const { ask, news } = clientOf(t, peer);

    const round = await ask();

    assert.deepEqual([round.kind, ...news()], ["single", "answered"]);
    assert.equal(proxy.received.to_server, 3);
    assert.ok(Math.abs(errorOf(round)) < 0.1);
  });

  test("a chronyd that has no source is not believed", async (t) => {
    const { ask, news } = clientOf(t, await startChronyd(t));

    const round = await ask();

    assert.deepEqual([round, ...news()], [{ kind: "none", because: "no_answer" }, "unsynchronised"]);
  });

  const refused: readonly [string, Answer, string][] = [
    ["an answer to another question", wrongBy(0, { origin: new Uint8Array(8).fill(9) }), "wrong_origin"],
    ["an answer of mode 3", wrongBy(0, { mode: 3 }), "wrong_mode"],
    ["an answer of mode 5", wrongBy(0, { mode: 5 }), "wrong_mode"],
    ["our own packet sent back", (request, reply) => reply(request), "wrong_origin"],
    ["an answer of version 1", wrongBy(0, { version: 1 }), "wrong_version"],
    ["an answer with leap indicator 3", wrongBy(0, { leap: 3 }), "unsynchronised"],
    ["an answer of stratum 16", wrongBy(0, { stratum: 16 }), "unsynchronised"],
    [
      "stratum 0 with an unknown kiss code",
      (request, reply) => reply(ntpKiss(request, "STEP")),
      "unknown_kiss",
    ],
    ["a zero transmit timestamp", wrongBy(0, { isTransmitZero: true }), "zero_transmit"],
    [
      "a server that claims to have thought for a second",
      (request, reply) =>
        reply(ntpAnswer(request, { receivedSeconds: nowSeconds(), transmittedSeconds: nowSeconds() + 1 })),
      "negative_delay",
    ],
    [
      "a truncated answer",
      (request, reply) => reply(ntpAnswer(request, { receivedSeconds: 0 }).subarray(0, 47)),
      "wrong_length",
    ],
    [
      "an oversized answer",
      (request, reply) => reply(Buffer.concat([ntpAnswer(request, { receivedSeconds: 0 }), Buffer.alloc(4)])),
      "wrong_length",
    ],
    ["an empty datagram", (_, reply) => reply(new Uint8Array()), "wrong_length"],
    ["silence", () => {}, "silence"],
  ];
  for (const [what, answer, outcome] of refused) {
    test(`${what} brings no time: ${outcome}`, async (t) => {
      let asked = 0;
      const server = await startAnswering(t, (...arriving) => {
        asked += 1;
        answer(...arriving);
      });
      const { ask, news } = clientOf(t, server);

      const round = await ask();

      assert.deepEqual([round, ...news()], [{ kind: "none", because: "no_answer" }, outcome]);
      assert.equal(asked, 4, "four packets at start, and no more");
    });
  }

  test("a recorded answer, sent again to the next question, is not believed again", async (t) => {
    let recorded: Buffer | undefined;
    const server = await startAnswering(t, (request, reply) => {
      recorded ??= ntpAnswer(request, { receivedSeconds: nowSeconds() });
      reply(recorded);
    });
    const { ask, news } = clientOf(t, server);

    const rounds = [await ask(), await ask()];

    assert.deepEqual([...rounds.map((round) => round.kind), ...news()], ["single", "none", "wrong_origin"]);
  });

  test("DENY ends it: one packet, and none when asked once more", async (t) => {
    let asked = 0;
    const server = await startAnswering(t, (request, reply) => {
      asked += 1;
      reply(ntpKiss(request, "DENY"));
    });
    const { ask } = clientOf(t, server);

    const rounds = [await ask(), await ask()];

    assert.deepEqual(rounds, Array(2).fill({ kind: "none", because: "servers_stopped" }));
    assert.equal(asked, 1);
  });

  test("RATE is obeyed: one packet, and none in the round after", async (t) => {
    let asked = 0;
    const server = await startAnswering(t, (request, reply) => {
      asked += 1;
      reply(ntpKiss(request, "RATE"));
    });
    const { ask, news } = clientOf(t, server);

    const rounds = [await ask(), await ask()];

    const because = rounds.map((round) => round.kind === "none" && round.because);
    assert.deepEqual([...because, ...news(), asked], ["no_answer", "not_due", "told_slower", 1]);
  });

  test("a DENY that answers another question is not obeyed", async (t) => {
    const server = await startAnswering(t, (request, reply) => {
      reply(ntpKiss(request, "DENY", { origin: new Uint8Array(8) }));
      reply(ntpAnswer(request, { receivedSeconds: nowSeconds() }));
    });
    const { ask, news } = clientOf(t, server);

    assert.deepEqual([(await ask()).kind, ...news()], ["single", "answered"]);
  });

  test("a server a year off is never an agreement when it is alone, and told as two of three when it is two", async (t) => {
    const liars = [
      await startAnswering(t, wrongBy(yearSeconds)),
      await startAnswering(t, wrongBy(yearSeconds)),
    ];
    const honest = await startAnswering(t, wrongBy(0));

    const alone = await clientOf(t, ...liars.slice(1)).ask();
    const outnumbering = await clientOf(t, ...liars, honest).ask();

    assert.equal(alone.kind, "single");
    assert.ok(outnumbering.kind === "agreed");
    assert.deepEqual([outnumbering.servers, outnumbering.of], [2, 3]);
  });

  test("an answer from another port is not heard, and the true one is", async (t) => {
    const stranger = await bindLoopback(t);
    const server = await startAnswering(t, (request, reply, { from }) => {
      const lie = ntpAnswer(request, { receivedSeconds: nowSeconds() + yearSeconds });
      stranger.send(lie, from.port, from.address, () => wrongBy(0)(request, reply, { count: 1, from }));
    });

    const round = await clientOf(t, server).ask();

    assert.ok(Math.abs(errorOf(round)) < 0.5);
  });

  test("of two answers to one question the first counts", async (t) => {
    const server = await startAnswering(t, (request, reply) => {
      reply(ntpAnswer(request, { receivedSeconds: nowSeconds() }));
      reply(ntpAnswer(request, { receivedSeconds: nowSeconds() + 0.9 }));
    });

    const round = await clientOf(t, server).ask();

    assert.ok(Math.abs(errorOf(round)) < 0.5);
  });

  test("what we send is, to tshark, a well-formed NTP client's packet of version 4 that says nothing of us", async (t) => {
    requireService(t, "tshark");
    const requests: Buffer[] = [];
    const server = await startAnswering(t, (request, reply) => {
      requests.push(request);
      reply(ntpAnswer(request, { receivedSeconds: nowSeconds() }));
    });
    const folder = mkdtempSync(join(tmpdir(), "mayfly-sntp-"));
    t.after(() => rmSync(folder, { recursive: true }));

    await clientOf(t, server).ask();
    const [dump, capture] = [join(folder, "request.hex"), join(folder, "request.pcap")];
    const octets = [...(requests[0] ?? [])].map((byte) => byte.toString(16).padStart(2, "0"));
    writeFileSync(dump, `000000 ${octets.join(" ")}\n`);
    await run("text2pcap", ["-q", "-u", "40000,123", dump, capture]);
    const fields = [
      "ntp.flags.li",
      "ntp.flags.vn",
      "ntp.flags.mode",
      "ntp.stratum",
      "ntp.org",
      "_ws.malformed",
    ];
    const { stdout } = await run("tshark", [
      ...["-r", capture, "-T", "fields", ...fields.flatMap((field) => ["-e", field])],
    ]);

    assert.equal(requests.length, 1);
    const [leap, version, mode, stratum, origin = "", malformed] = stdout.trimEnd().split("\t");
    assert.deepEqual([leap, version, mode, stratum, malformed ?? ""], ["0", "4", "3", "0", ""]);
    t.diagnostic(`tshark reads the origin as ${origin}`);
  });
});

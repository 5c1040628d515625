/**
 * Hostile requests against a bridge process over TLS: each gets its answers, nothing reaches the store beyond what
 * may, and an honest device beside them publishes throughout.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { hostileRequests } from "./hostile-requests.ts";
import { HttpHouse, type RawLine } from "./http-house.ts";

/** What hostility may cost in memory that stays, of all rows together. */
const GROWTH_KIB_MAX = 96 * 1024;

const house = new HttpHouse();
let honest: RawLine;
let honestEvents = 0;
let firstRssKib = 0;
const probe = "GET /probe HTTP/1.1\r\nHost: localhost\r\n\r\n";
const notFound = 404;

before(async () => {
  await house.open(["hostile-1", "honest-1"]);
  honest = await house.dial();
  await publishHonestly();
  firstRssKib = rssKib();
});
after(() => house.bridge.end());

function rssKib(): number {
  const status = readFileSync(`/proc/${house.bridge.endpoints.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
}

async function publishHonestly(): Promise<void> {
  const before = honest.answers.length;
  honest.write(house.publishRequest("honest-1", `honest ${honestEvents++}`));
  await honest.until(before + 1);
  assert.equal(honest.answers.at(-1)?.status, 200, "the honest device was not served");
}

function markOf(says: string): string {
  return `row: ${says}`;
}

test("there are at least 90 hostile requests, each with a name of its own", () => {
  assert.ok(hostileRequests.length >= 90, String(hostileRequests.length));
  assert.equal(new Set(hostileRequests.map(({ says }) => says)).size, hostileRequests.length);
});

for (const row of hostileRequests) {
  test(`hostile: ${row.says}`, async () => {
    const line = await house.dial();
    const data = Buffer.from(markOf(row.says)).toString("base64");
    const bytes = row.bytes({
      path: house.path("hostile-1"),
      authorization: `Authorization: Bearer ${house.token("hostile-1")}\r\n`,
      json: JSON.stringify({ binaryData: data }),
      data,
      smuggled: house.publishRequest("hostile-1", "smuggled"),
    });

    // The probe shows whether the bridge reads on, and where it believes the request ended.
    line.write(bytes + probe);
    const [, expected] = await Promise.all([
      publishHonestly(),
      row.isClosed
        ? line.closed().then(() => row.answers)
        : line.until(row.answers.length + 1).then(() => [...row.answers, notFound]),
    ]);
    line.end();

    assert.deepEqual(
      line.answers.map(({ status }) => status),
      expected,
    );
    for (const { head, body } of line.answers) {
      assert.ok(
        !`${head}${body}`.includes(house.token("hostile-1").slice(0, 40)),
        "an answer repeats the token",
      );
    }
  });
}

test("nothing was stored but what the rows allow, and nothing at all was smuggled", async () => {
  const marks = (await house.bridge.pull()).filter(({ device }) => device === "hostile-1");

  const found = new Map<string, number>();
  for (const { text } of marks) if (text !== "") found.set(text, (found.get(text) ?? 0) + 1);
  const allowed = new Map(
    hostileRequests
      .filter(({ stored }) => stored !== undefined)
      .map(({ says, stored }) => [markOf(says), stored]),
  );
  assert.deepEqual([...found].sort(), [...allowed].sort());
});

/** Runs until the promise is settled, with the honest device publishing beside it. */
async function besideHonesty(work: Promise<void>): Promise<void> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  // A failure of the honest device comes first: the work's own is read by the caller's await.
  done.catch(() => undefined);
  while (!isDone) {
    await publishHonestly();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await done;
}

/** @returns Seconds until the bridge closed the connection. */
async function secondsUntilClosed(line: RawLine): Promise<number> {
  const from = performance.now();
  await line.closed();
  return (performance.now() - from) / 1_000;
}

test("clients that never send, drip a head, drip a body, or do not read are timed out, and cost nobody else", async () => {
  const head = `POST ${house.path("hostile-1")}:publishEvent HTTP/1.1\r\nHost: localhost\r\n`;
  const authorization = `Authorization: Bearer ${house.token("hostile-1")}\r\n`;
  const [silent, headDripper, bodyDripper, deaf] = await Promise.all([
    house.dial(),
    house.dial(),
    house.dial(),
    house.dial(),
  ]);
  await house.setConfig("hostile-1", "c".repeat(60_000));

  headDripper.write(`${head}a: `);
  bodyDripper.write(`${head}${authorization}Content-Length: 500000\r\n\r\n`);
  const drip = setInterval(() => {
    for (const line of [headDripper, bodyDripper]) line.write("a");
  }, 500);
  deaf.socket.pause();
  deaf.write(
    `GET ${house.path("hostile-1")}/config HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\n`.repeat(
      20_000,
    ),
  );

  const measured = Promise.all([silent, headDripper, bodyDripper, deaf].map(secondsUntilClosed));
  await besideHonesty(measured.then(() => undefined));
  clearInterval(drip);

  const [silentSeconds = 0, headSeconds = 0, bodySeconds = 0, deafSeconds = 0] = await measured;
  assert.ok(silentSeconds > 5 && silentSeconds < 16, `silent ${silentSeconds}`);
  assert.ok(headSeconds > 9 && headSeconds < 16, `head ${headSeconds}`);
  assert.ok(bodySeconds > 29 && bodySeconds < 38, `body ${bodySeconds}`);
  assert.ok(deafSeconds > 50 && deafSeconds < 80, `deaf ${deafSeconds}`);
  assert.deepEqual(
    [silent.answers, headDripper.answers[0]?.status, bodyDripper.answers[0]?.status],
    [[], 408, 408],
  );
});

test("the bridge is the process it was, no larger than it may be, and still serves", async () => {
  await publishHonestly();

  const grownKib = rssKib() - firstRssKib;

  assert.ok(grownKib < GROWTH_KIB_MAX, `grown by ${grownKib} KiB`);
});

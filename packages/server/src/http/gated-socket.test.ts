/** The gate's socket between a client's end of a pipe and Node's own strict parser. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import {
  ANSWER_MILLIS_MAX,
  BODY_MILLIS_MAX,
  FIRST_MILLIS_MAX,
  gateConnections,
  HEAD_MILLIS_MAX,
  IDLE_MILLIS_MAX,
  LINGER_MILLIS_MAX,
} from "./gated-socket.ts";

/** Timers that pass when told. */
class HandTimers {
  #now = 0;
  readonly #due = new Map<object, { readonly at: number; readonly run: () => void }>();

  after(delayMillis: number, run: () => void): () => void {
    const key = {};
    this.#due.set(key, { at: this.#now + delayMillis, run });
    return () => this.#due.delete(key);
  }

  pass(millis: number): void {
    this.#now += millis;
    for (const [key, { at, run }] of this.#due) {
      if (at > this.#now) continue;
      this.#due.delete(key);
      run();
    }
  }
}

interface Line {
  readonly timers: HandTimers;
  readonly client: Duplex;
  /** The bridge's end of the wire. */
  readonly socket: Duplex;
  readonly requests: { readonly request: IncomingMessage; readonly response: ServerResponse }[];
  /** Of whole requests: method, path, body. */
  readonly bodies: string[];
  readonly parserErrors: Error[];
  heard(): string;
}

/** @param isAnswering Answers each whole request with its body; otherwise the test answers. */
function openLine({ isAnswering }: { readonly isAnswering: boolean }): Line {
  const timers = new HandTimers();
  const requests: Line["requests"] = [];
  const bodies: string[] = [];
  const parserErrors: Error[] = [];
  const server = createServer((request, response) => {
    requests.push({ request, response });
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    request.on("end", () => {
      bodies.push(`${request.method} ${request.url} ${body}`);
      if (isAnswering) response.end(body);
    });
  });
  server.on("clientError", (error: Error, socket) => {
    parserErrors.push(error);
    socket.destroy();
  });
  gateConnections(server, {
    limits: { headBytesMax: 2_048, bodyBytesMax: 1_024 },
    timers,
    formatRefusal: (refusal) => `refused ${refusal}`,
  });
  const [client, socket] = duplexPair();
  server.emit("connection", socket);
  let heard = "";
  client.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  return { timers, client, socket, requests, bodies, parserErrors, heard: () => heard };
}

/** Until what the streams owe each other is done: they take turns of the event loop, a bounded number. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";

test("a connection whose first request does not begin is closed in silence", async () => {
  const { timers, client, socket, heard } = openLine({ isAnswering: true });

  client.write("\r\n");
  await settle();
  timers.pass(FIRST_MILLIS_MAX - 1);
  const before = socket.writableEnded;
  timers.pass(1);
  await settle();

  assert.deepEqual([before, socket.writableEnded, heard()], [false, true, ""]);
});

for (const [what, sent, millis] of [
  ["head", get.slice(0, -1), HEAD_MILLIS_MAX],
  ["body", `${post}ab`, BODY_MILLIS_MAX],
] as const) {
  test(`a ${what} that drips past its time is refused, and its request never seen whole`, async () => {
    const { timers, client, socket, heard, bodies } = openLine({ isAnswering: true });

    client.write(sent.slice(0, -1));
    await settle();
    timers.pass(millis - 1);
    client.write(sent.slice(-1));
    await settle();
    const before = heard();
    timers.pass(1);
    await settle();

    assert.deepEqual([before, heard(), bodies], ["", "refused too_slow", []]);
    timers.pass(LINGER_MILLIS_MAX);
    assert.ok(socket.destroyed);
  });
}

test("a client that does not read its answer is cut", async () => {
  const { timers, client, socket } = openLine({ isAnswering: false });

  client.write(get);
  await settle();
  timers.pass(ANSWER_MILLIS_MAX - 1);
  const before = socket.destroyed;
  timers.pass(1);

  assert.deepEqual([before, socket.destroyed], [false, true]);
});

test("silence after an answer ends the connection at the idle maximum, counted from the answer", async () => {
  const { timers, client, socket } = openLine({ isAnswering: true });
  client.write(get);
  await settle();

  timers.pass(IDLE_MILLIS_MAX - 1);
  client.write(get);
  await settle();
  timers.pass(IDLE_MILLIS_MAX - 1);
  const before = socket.writableEnded;
  timers.pass(1);
  await settle();

  assert.deepEqual([before, socket.writableEnded], [false, true]);
});

test("a pipelined request stays outside until the answer before it is out, and the socket unread", async () => {
  const { client, socket, requests, heard } = openLine({ isAnswering: false });

  client.write(get.repeat(1_000));
  await settle();
  const waiting = [requests.length, socket.isPaused()];
  requests[0]?.response.end("one");
  await settle();

  assert.deepEqual(waiting, [1, true]);
  assert.deepEqual([requests.length, heard().match(/one/g)?.length], [2, 1]);
});

test("pipelined requests are all answered, in order", async () => {
  const { client, bodies, heard } = openLine({ isAnswering: true });

  client.write(`${post}abc\r\n\r\n${post}defPOST  /a HTTP/1.1\nHost: x\nContent-Length: 3\n\nghi`);
  await settle();

  assert.deepEqual(bodies, ["POST /a abc", "POST /a def", "POST /a ghi"]);
  assert.match(heard(), /abc.*def.*ghi$/s);
});

test("nothing is read after a request that closes the connection", async () => {
  const { client, bodies, socket } = openLine({ isAnswering: true });

  client.write(`GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n${post}abc`);
  await settle();

  assert.deepEqual([bodies, socket.writableEnded], [["GET /a "], true]);
});

test("nothing is read after a request that is refused", async () => {
  const { client, bodies, heard } = openLine({ isAnswering: true });

  client.write(`GET /a HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n${post}abc`);
  await settle();
  client.write(`${post}abc`);
  await settle();

  assert.deepEqual([bodies, heard()], [[], "refused header_name"]);
});

test("a refusal never follows an answer that was begun", async () => {
  const { client, requests, heard } = openLine({ isAnswering: false });

  client.write("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await settle();
  requests[0]?.response.write("early");
  await settle();
  client.write("bad\n");
  await settle();

  assert.match(heard(), /early/);
  assert.doesNotMatch(heard(), /refused/);
});

test("a request answered before its body ended is skipped to its end, and the next one understood", async () => {
  const { client, requests } = openLine({ isAnswering: false });

  client.write(post);
  await settle();
  requests[0]?.response.end("no");
  await settle();
  client.write(`${get.slice(0, 3)}${get}`);
  await settle();

  assert.deepEqual(
    requests.map(({ request }) => request.method),
    ["POST", "GET"],
  );
});

test("a client that half-closes hears its answer", async () => {
  const { client, heard, bodies } = openLine({ isAnswering: true });

  client.end(`${post}abc`);
  await settle();

  assert.deepEqual(bodies, ["POST /a abc"]);
  assert.match(heard(), /abc$/);
});

test("a client that leaves in the middle of a request leaves nothing behind", async () => {
  const { client, bodies, socket } = openLine({ isAnswering: true });

  client.end(`${post}ab`);
  await settle();

  assert.deepEqual([bodies, socket.destroyed], [[], true]);
});

const pieces = fc.array(
  fc.constantFrom(
    ...[
      "POST /b HTTP/1.1\r\n",
      "GET  /c HTTP/1.1\n",
      "Host: x\r\n",
      "Host: x\n",
      "\r\n",
      "\n",
      "\r",
      " ",
      "\t",
    ],
    ...["Content-Length: 3\r\n", "Content-Length: 3\n", "Transfer-Encoding: chunked\r\n", "a: b\r\n", "abc"],
    ...[
      "3\r\nabc\r\n",
      "0\r\n\r\n",
      "3;x=y\r\n",
      "0\r\n",
      "\0",
      "é",
      ": ",
      "Connection: close\r\n",
      post,
      get,
    ],
  ),
  { maxLength: 24 },
);

test("Node's strict parser takes whatever the gate lets through, at whatever the network cuts it", async () => {
  await fc.assert(
    fc.asyncProperty(
      pieces,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      async (parts, sizes) => {
        const { client, parserErrors, socket } = openLine({ isAnswering: true });
        const bytes = Buffer.from(`POST /a HTTP/1.1\r\nHost: x\r\n${parts.join("")}`, "latin1");

        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          client.write(bytes.subarray(at, at + size));
          at += size;
        }
        await settle();
        socket.destroy();

        assert.deepEqual(parserErrors, []);
      },
    ),
    { numRuns: 200 },
  );
});

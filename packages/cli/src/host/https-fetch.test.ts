import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openServerIdentity } from "@mayfly/server/node";
import { createHttpsFetch, describeConnectionFailure } from "./https-fetch.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-fetch-"));
const caFile = join(folder, "ca.pem");
let base = "";
let ca = "";
let stopServer = (): void => {};

before(async () => {
  const identity = await openServerIdentity({
    folder: join(folder, "identity"),
    caFile,
    hostNames: ["localhost"],
    nowMs: Date.now(),
  });
  ca = readFileSync(caFile, "utf8");
  const server = createServer({ cert: identity.cert, key: identity.key }, (request, answer) => {
    if (request.url === "/silent") return;
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString();
    });
    request.on("end", () =>
      answer.end(`${request.method} ${request.headers["content-length"] ?? "-"} ${body}`),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  base = `https://localhost:${typeof address === "object" && address !== null ? address.port : 0}`;
  stopServer = () => {
    server.closeAllConnections();
    server.close();
  };
});

after(() => {
  stopServer();
  rmSync(folder, { recursive: true });
});

test("a body is sent with its length in bytes, and the answer read whole", async () => {
  const { fetch, close } = createHttpsFetch(ca);

  const answer = await fetch(`${base}/`, { method: "POST", headers: {}, body: '"é"' });

  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), 'POST 4 "é"');
  close();
});

test("a certificate of unknown roots is server_untrusted, and so is one for another name", async () => {
  const [strange, known] = [createHttpsFetch(undefined), createHttpsFetch(ca)];

  await assert.rejects(strange.fetch(base, { method: "GET", headers: {} }), { code: "server_untrusted" });
  await assert.rejects(known.fetch(base.replace("localhost", "127.0.0.1"), { method: "GET", headers: {} }), {
    code: "server_untrusted",
    message: /does not name 127\.0\.0\.1/,
  });
  strange.close();
  known.close();
});

test("an answer longer than the most that is read is given up", async () => {
  const { fetch, close } = createHttpsFetch(ca, 10);

  const answer = await fetch(`${base}/`, { method: "POST", headers: {}, body: "more than ten" });

  await assert.rejects(answer.text(), { code: "server_unreachable", message: /longer than 10 bytes/ });
  close();
});

test("close ends a request under way", async () => {
  const { fetch, close } = createHttpsFetch(ca);
  const waiting = fetch(`${base}/silent`, { method: "GET", headers: {} });
  const refused = assert.rejects(waiting, { code: "server_unreachable" });
  // The agent only knows of sockets it has made: give it its turn to.
  await new Promise((resolve) => setImmediate(resolve));

  close();

  await refused;
});

test("each failure of a connection names the server and what to do", () => {
  const failure = (code: string) =>
    describeConnectionFailure("https://host:1/path", Object.assign(new Error("raw"), { code }));

  assert.match(failure("ECONNREFUSED").message, /^cannot reach https:\/\/host:1: .*mayfly serve/);
  assert.match(failure("CERT_HAS_EXPIRED").message, /has expired, or this machine's clock is wrong/);
  assert.match(failure("SELF_SIGNED_CERT_IN_CHAIN").message, /--ca/);
  assert.equal(failure("SOMETHING_ELSE").message, "cannot reach https://host:1: raw");
});

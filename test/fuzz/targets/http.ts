/**
 * The device HTTPS API behind a socket of its own per input; the input is what the socket brings, then it ends.
 * The word `{TOKEN}` in it stands for a good token.
 *
 * Promised: only answers that the API documents, never an INTERNAL one; a message is stored for each 200 of a publish
 * and for nothing else; and a request beside it is answered as ever.
 */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createAdmission } from "../../../packages/server/src/auth/admission.ts";
import { createNodeKeyVerifier } from "../../../packages/server/src/host/node-key-verifier.ts";
import { createDeviceApi } from "../../../packages/server/src/http/device-api.ts";
import { createIntake } from "../../../packages/server/src/telemetry/intake.ts";
import { DeviceKey } from "../../../packages/server/test/bridge-world.ts";
import { credential, lab, openAdminHouse, timers } from "../../../packages/server/test/http/admin-house.ts";
import { bytesOf, type FuzzTarget, promise, textOf } from "../target.ts";

const path = `${lab}/plant/devices/sensor-1`;
const answers: ReadonlySet<string> = new Set(
  "100 200 400 401 403 404 405 408 411 413 414 415 417 426 429 431 501 503 505".split(" "),
);
/** An answer comes at once, or the connection ends; nobody waits longer. */
const answerMillisMax = 900;

export async function openHttpTarget(): Promise<FuzzTarget> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  // Time stands still here, and an allowance would never come back.
  const unlimited = { messagesPerSecond: 0, bytesPerSecond: 0, statesPerSecond: 0 };
  await house.call("PATCH", `/mayfly${lab}/plant`, { policy: unlimited });
  const key = new DeviceKey("k");
  await house.call("POST", `${lab}/plant/devices`, {
    id: "sensor-1",
    credentials: [credential(key.record.pem)],
  });
  let stored = 0;
  const { clock, store } = house;
  const failures: unknown[] = [];
  const api = createDeviceApi({
    admission: createAdmission({
      ...{ clock, registry: store, verifier: createNodeKeyVerifier() },
      observer: { verified: () => undefined, attempted: () => undefined, alarm: () => undefined },
    }),
    intake: createIntake({
      ...{ clock, registry: store },
      backbone: {
        append(_message, done) {
          stored += 1;
          queueMicrotask(() => done({ kind: "durable", messageId: String(stored) }));
        },
      },
    }),
    ...{ registry: store, clock, timers, rates: house.ports.rates, deviceLog: house.ports.deviceLog },
    observer: { requestAnswered: () => undefined, requestRefused: () => undefined },
    timeAnswerer: { answer: () => ({ kind: "refused", because: "delegation_missing" }) },
    onInternalError: (error) => failures.push(error),
  });
  await api.listen({ host: "127.0.0.1", port: 0 });
  const { port } = api.server.address() as AddressInfo;
  const token = bytesOf(key.token());
  const request = (method: string, url: string, body: string, more = "") =>
    `${method} ${url} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer {TOKEN}\r\n${more}` +
    (body === "" ? "\r\n" : `Content-Length: ${body.length}\r\n\r\n${body}`);
  const event = request("POST", `${path}:publishEvent`, '{"binaryData":"b24="}');
  let runs = 0;

  return {
    name: "http",
    seeds: [
      event,
      request("POST", `${path}:publishEvent`, '{"binary_data":"-_8","sub_folder":"a1/b2","message_id":"m"}'),
      request("POST", `${path}:setState`, '{"state":{"binaryData":"b24="}}'),
      request("GET", `${path}/config?localVersion=0`, ""),
      request("GET", `${path}/config?local_version=1&alt=json`, ""),
      `${event}${event}`,
      `POST  ${path}:publishEvent HTTP/1.1\nHost: b\nmethod: post\nAuthorization: Bearer {TOKEN}\nContent-Length: 21\n\n{"binaryData":"b24="}\r\n\r\n`,
      `POST ${path}:publishEvent HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{"binaryData":"b24="}\r\n0\r\n\r\n`,
    ].map(bytesOf),
    dictionary: [
      "\r\n",
      "\n",
      "\r\n\r\n",
      " ",
      "Transfer-Encoding: chunked\r\n",
      "Content-Length: 5\r\n",
      "Content-Length: 0\r\n",
      "Connection: close\r\n",
      "Connection: upgrade\r\nUpgrade: h2c\r\n",
      "Expect: 100-continue\r\n",
      "0\r\n\r\n",
      "HTTP/1.0",
      "GET ",
      "POST ",
      "%2F",
      "%00",
      "/../",
      "http://other/",
      "\x00",
      '"__proto__":{}',
      "[[[[",
      "{TOKEN}",
      event,
    ].map(bytesOf),
    async run(input) {
      const before = stored;
      const spoken = await speak(port, withToken(input, token));
      const statuses = [...spoken.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = ""]) => status);
      const [failure] = failures.splice(0);
      if (failure !== undefined) throw failure;
      for (const status of statuses) promise(answers.has(status), `an answer of ${status}`);
      const good = statuses.filter((status) => status === "200").length;
      promise(stored - before <= good, "a message is stored without an answer of 200");
      runs += 1;
      if (runs % 64 !== 0) return;
      const honest = await speak(port, withToken(bytesOf(event), token));
      promise(honest.startsWith("HTTP/1.1 200 "), "an honest request is not answered");
    },
    async close() {
      await api.close();
      await house.app.close();
    },
  };
}

/** Keys are made anew in each process: in an input the word `{TOKEN}` stands for a good token. */
function withToken(input: Uint8Array, token: Uint8Array): Uint8Array {
  return bytesOf(textOf(input).replaceAll("{TOKEN}", () => textOf(token)));
}

/** What a socket hears that says `input` and ends. */
async function speak(port: number, input: Uint8Array): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  // A server that has heard enough may reset the connection under what is still being said.
  socket.on("error", () => undefined);
  socket.end(input);
  const ended = new Promise<void>((resolve) => {
    socket.once("end", resolve);
    socket.once("close", () => resolve());
  });
  const patience = setTimeout(() => socket.destroy(new Error("nothing more")), answerMillisMax);
  await ended;
  clearTimeout(patience);
  if (!socket.destroyed) {
    socket.destroy();
    await once(socket, "close");
  }
  return heard;
}

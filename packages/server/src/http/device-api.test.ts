import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import {
  type AdminHouse,
  credential,
  lab,
  openAdminHouse,
  startSeconds,
  timers,
} from "../../test/http/admin-house.ts";
import { createAdmission } from "../auth/admission.ts";
import { createNodeKeyVerifier } from "../host/node-key-verifier.ts";
import { createIntake, type Intake, type IntakeRefusal } from "../telemetry/intake.ts";
import { createDeviceApi, intakeRefusalOnHttp } from "./device-api.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
const device = "/v1/projects/mayfly/locations/lab/registries/plant/devices/sensor-1";

interface DeviceHouse {
  /** What the API told its observer, a line each. */
  readonly told: readonly string[];
  readonly house: AdminHouse;
  readonly api: FastifyInstance;
  call(
    method: "GET" | "POST",
    url: string,
    body?: unknown,
    authorization?: string | null,
  ): Promise<LightMyRequestResponse>;
}

async function openDeviceHouse(intake?: Intake): Promise<DeviceHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1", credentials: [credential(pem)] });
  const { clock, store, backbone } = house;
  const told: string[] = [];
  const api = createDeviceApi({
    admission: createAdmission({
      clock,
      registry: store,
      verifier: createNodeKeyVerifier(),
      observer: { verified: () => undefined, attempted: () => undefined, alarm: () => undefined },
    }),
    intake: intake ?? createIntake({ clock, registry: store, backbone }),
    rates: house.ports.rates,
    deviceLog: house.ports.deviceLog,
    registry: store,
    clock,
    timers,
    observer: {
      requestAnswered: ({ call, httpStatus }) => told.push(`${call} ${httpStatus}`),
      requestRefused: ({ because, deviceName, authenticity, remoteAddress }) =>
        told.push(["refused", because, deviceName?.device, authenticity, remoteAddress].join(" ")),
    },
    timeAnswerer: { answer: () => ({ kind: "refused", because: "delegation_missing" }) },
    onInternalError: (error) => house.internalErrors.push(error),
  });
  return {
    told,
    house,
    api,
    call: (method, url, body, authorization = `Bearer ${mintToken()}`) =>
      api.inject({
        method,
        url,
        headers: authorization === null ? {} : { authorization },
        ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
  };
}

function mintToken(change: Readonly<Record<string, unknown>> = {}): string {
  const claims = { aud: "mayfly", iat: startSeconds - 10, exp: startSeconds + 3_590, ...change };
  const input = [{ alg: "ES256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

async function pullOne(house: AdminHouse) {
  const pulled = await house.call("POST", "/v1/projects/mayfly/subscriptions/sink-1:pull", {
    maxMessages: 10,
    returnImmediately: true,
  });
  return pulled.body.receivedMessages?.[0].message;
}

async function subscribe(house: AdminHouse): Promise<void> {
  const registry = "projects/mayfly/locations/lab/registries/plant";
  await house.call("PUT", "/v1/projects/mayfly/subscriptions/sink-1", { registry, from: "earliest" });
}

for (const [sentence, body] of [
  ["camelCase and standard base64", { binaryData: "+/8=", subFolder: "alarm/on", messageId: "m-1" }],
  ["snake_case and URL-safe base64", { binary_data: "-_8", sub_folder: "alarm/on", message_id: "m-1" }],
] as const) {
  test(`an event in ${sentence} is durable when the device hears 200`, async () => {
    const { house, call } = await openDeviceHouse();
    await subscribe(house);

    const answer = await call("POST", `${device}:publishEvent`, body);
    const message = await pullOne(house);

    assert.deepEqual([answer.statusCode, answer.body], [200, "{}\n"]);
    assert.equal(message.data, "+/8=");
    assert.deepEqual([message.attributes.subFolder, message.attributes.deviceMessageId], ["alarm/on", "m-1"]);
  });
}

test("an event sent again with its messageId is 200 again, and is there once", async () => {
  const { house, call } = await openDeviceHouse();
  await subscribe(house);
  const event = { binaryData: "b24=", messageId: "m-1" };

  const answers = [
    await call("POST", `${device}:publishEvent`, event),
    await call("POST", `${device}:publishEvent`, event),
  ];

  const pulled = await house.call("POST", "/v1/projects/mayfly/subscriptions/sink-1:pull", {
    maxMessages: 10,
    returnImmediately: true,
  });
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [200, 200],
  );
  assert.equal(pulled.body.receivedMessages.length, 1);
});

test("a device may be named by its numId, and is recorded with the key it used", async () => {
  const { house, call } = await openDeviceHouse();
  const { body } = await house.call("GET", `${lab}/plant/devices/sensor-1`);

  const answer = await call("POST", `${device.replace("sensor-1", body.numId)}:publishEvent`, {
    binaryData: "",
  });
  const details = await house.call("GET", `/mayfly${lab}/plant/devices/sensor-1`);

  assert.equal(answer.statusCode, 200);
  assert.equal(details.body.device.lastEventTime, "2023-11-14T22:13:20.000Z");
  assert.equal(details.body.keys[0].lastUsedTime, "2023-11-14T22:13:20.000Z");
});

test("a state is kept", async () => {
  const { house, call } = await openDeviceHouse();

  const answer = await call("POST", `${device}:setState`, { state: { binary_data: "b24=" } });
  const found = await house.call("GET", `${lab}/plant/devices/sensor-1`);

  assert.deepEqual([answer.statusCode, answer.body], [200, "{}\n"]);
  assert.equal(found.body.state.binaryData, "b24=");
});

test("a config is printed version first, payload next and a comma after it, one member a line, a blank after the colon", async () => {
  const { house, call } = await openDeviceHouse();
  await house.call("POST", `${lab}/plant/devices/sensor-1:modifyCloudToDeviceConfig`, { binaryData: "b24=" });

  const current = await call("GET", `${device}/config`);
  const newer = await call("GET", `${device}/config?local_version=1`);
  const same = await call("GET", `${device}/config?localVersion=2`);
  const ahead = await call("GET", `${device}/config?localVersion=3`);

  assert.equal(
    current.body,
    '{\n  "version": "2",\n  "binaryData": "b24=",\n  "cloudUpdateTime": "2023-11-14T22:13:20.000Z"\n}\n',
  );
  assert.equal(newer.body, current.body);
  assert.deepEqual([same.statusCode, same.body], [200, "{}\n"]);
  assert.deepEqual([ahead.statusCode, ahead.json().error.status], [400, "OUT_OF_RANGE"]);
});

test("no authorization header is 401 in 123 bytes, as Cloud IoT Core printed it", async () => {
  const { call } = await openDeviceHouse();

  const answer = await call("POST", `${device}:publishEvent`, { binaryData: "" }, null);

  assert.equal(answer.statusCode, 401);
  assert.equal(Buffer.byteLength(answer.body), 123);
  assert.equal(answer.json().error.message, 'No "authorization" header found.');
});

const denied = {
  error: { code: 403, message: "The caller does not have permission", status: "PERMISSION_DENIED" },
};

for (const [sentence, url, authorization, named] of [
  [
    "an expired token",
    device,
    mintToken({ iat: startSeconds - 8_000, exp: startSeconds - 4_000 }),
    "token_expired",
  ],
  [
    "a token from the future",
    device,
    mintToken({ iat: startSeconds + 4_000, exp: startSeconds + 8_000 }),
    "token_from_future",
  ],
  ["another project's token", device, mintToken({ aud: "other" }), undefined],
  ["a token without its signature", device, mintToken().replace(/[^.]*$/, ""), undefined],
  ["no token at all", device, "", undefined],
  ["an unknown device", `${device}9`, mintToken(), undefined],
  ["an unknown registry", device.replace("plant", "nothing"), mintToken(), undefined],
  ["an unknown project", device.replace("mayfly", "nowhere"), mintToken(), undefined],
] as const) {
  test(`${sentence} gets the one 403 there is`, async () => {
    const { call } = await openDeviceHouse();

    const answer = await call("POST", `${url}:publishEvent`, { binaryData: "" }, `Bearer ${authorization}`);

    assert.equal(answer.statusCode, 403);
    assert.deepEqual(answer.json(), denied);
    assert.equal(answer.headers["mayfly-refusal"], named);
    assert.equal(answer.headers["mayfly-time"], named === undefined ? undefined : String(startSeconds));
  });
}

test("a blocked device, and a registry with HTTP disabled, get the same 403", async () => {
  const { house, call } = await openDeviceHouse();

  await house.call("PATCH", `${lab}/plant/devices/sensor-1?updateMask=blocked`, { blocked: true });
  const blocked = await call("GET", `${device}/config`);
  await house.call("PATCH", `${lab}/plant/devices/sensor-1?updateMask=blocked`, {});
  await house.call("PATCH", `${lab}/plant?updateMask=http_config`, { httpConfig: { httpEnabledState: 2 } });
  const disabled = await call("GET", `${device}/config`);

  assert.deepEqual([blocked.json(), disabled.json()], [denied, denied]);
});

test("the token is judged before the body is read", async () => {
  const { call } = await openDeviceHouse();

  const answer = await call("POST", `${device}:publishEvent`, "{", "Bearer x.y.z");

  assert.equal(answer.statusCode, 403);
});

for (const [sentence, url, body, status, code] of [
  ["base64 that is none", `${device}:publishEvent`, { binary_data: "?" }, 400, "INVALID_ARGUMENT"],
  [
    "an event above 256 KiB",
    `${device}:publishEvent`,
    { binaryData: "A".repeat(4 * 87_382) },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a state above 64 KiB",
    `${device}:setState`,
    { state: { binaryData: "A".repeat(4 * 21_846) } },
    400,
    "INVALID_ARGUMENT",
  ],
  ["a state without a state", `${device}:setState`, { binaryData: "" }, 400, "INVALID_ARGUMENT"],
  [
    "a message id above 128 bytes",
    `${device}:publishEvent`,
    { messageId: "ä".repeat(65) },
    400,
    "INVALID_ARGUMENT",
  ],
  ["a subfolder with a wildcard", `${device}:publishEvent`, { subFolder: "a/#" }, 400, "INVALID_ARGUMENT"],
  ["an admin route", "/v1/projects/mayfly/locations/lab/registries", {}, 404, "NOT_FOUND"],
  [
    "the beta's token exchange",
    `${device.replace("/v1/", "/v1beta1/")}:generateAccessToken`,
    {},
    404,
    "NOT_FOUND",
  ],
] as const) {
  test(`${sentence} is ${code}`, async () => {
    const { call } = await openDeviceHouse();

    const answer = await call("POST", url, body);

    assert.deepEqual([answer.statusCode, answer.json().error.status], [status, code]);
  });
}

for (const because of Object.keys(intakeRefusalOnHttp) as IntakeRefusal[]) {
  test(`a message the store refuses as ${because} is not 200`, async () => {
    const refuse: Intake["takeEvent"] = (_principal, _event, done) => done({ kind: "refused", because });
    const { call } = await openDeviceHouse({
      takeEvent: refuse,
      takeState: (_p, _b, done) => done({ kind: "refused", because }),
    });

    const answer = await call("POST", `${device}:publishEvent`, { binaryData: "" });

    assert.equal(answer.statusCode, intakeRefusalOnHttp[because]().httpStatus);
  });
}

test("a registry that cannot be read is 503 to whoever asks, and no verdict", async () => {
  const { house, call } = await openDeviceHouse();
  house.store.lookUpConfig = (_, answer) => answer("unavailable");
  const config = await call("GET", `${device}/config`);
  house.store.lookUpAdmission = (_, answer) => answer("unavailable");

  const known = await call("POST", `${device}:publishEvent`, { binaryData: "" });
  const stranger = await call("POST", `${device}9:publishEvent`, {}, "Bearer x.y.z");

  for (const answer of [config, known, stranger]) {
    assert.deepEqual([answer.statusCode, answer.json().error.status], [503, "UNAVAILABLE"]);
  }
});

test("each call is told by what came of it, and each refusal by its reason, once", async () => {
  const { told, house, call } = await openDeviceHouse();
  const expired = mintToken({ iat: startSeconds - 8_000, exp: startSeconds - 4_000 });

  await call("POST", `${device}:publishEvent`, { binaryData: "" });
  await call("POST", `${device}:setState`, { state: { binaryData: "?" } });
  await call("GET", `${device}/config`);
  await call("POST", `${device}:publishEvent`, {}, null);
  await call("POST", `${device}:publishEvent`, {}, `Bearer ${expired}`);
  await call("POST", `${device}9:publishEvent`, {});
  house.store.lookUpAdmission = (_, answer) => answer("unavailable");
  await call("GET", `${device}/config`);
  await call("GET", "/v1/nothing/config");

  assert.deepEqual(told, [
    "publishEvent 200",
    "setState 400",
    "config 200",
    "refused authorization_missing   127.0.0.1",
    "publishEvent 401",
    "refused token_expired sensor-1 authentic 127.0.0.1",
    "publishEvent 403",
    "refused device_unknown sensor-19  127.0.0.1",
    "publishEvent 403",
    "refused registry_unavailable sensor-1  127.0.0.1",
    "config 503",
  ]);
});

test("a local version given twice, in either spelling, is INVALID_ARGUMENT", async () => {
  const { call } = await openDeviceHouse();

  for (const query of ["localVersion=1&localVersion=2", "localVersion=1&local_version=1"]) {
    const answer = await call("GET", `${device}/config?${query}`);
    assert.deepEqual([answer.statusCode, answer.json().error.status], [400, "INVALID_ARGUMENT"]);
  }
});

test("the beta's path is the same API", async () => {
  const { call } = await openDeviceHouse();
  const beta = device.replace("/v1/", "/v1beta1/");

  const answers = [
    await call("POST", `${beta}:publishEvent`, { binaryData: "b24=" }),
    await call("POST", `${beta}:setState`, { state: { binaryData: "b24=" } }),
    await call("GET", `${beta}/config`),
    await call("GET", `${beta}/config`, undefined, null),
  ];

  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200, 401],
  );
});

test("a body that is not UTF-8 is no JSON", async () => {
  const { api } = await openDeviceHouse();

  const answer = await api.inject({
    method: "POST",
    url: `${device}:publishEvent`,
    headers: { authorization: `Bearer ${mintToken()}` },
    payload: Buffer.from('{"messageId": "\xff"}', "latin1"),
  });

  assert.deepEqual([answer.statusCode, answer.json().error.status], [400, "INVALID_ARGUMENT"]);
});

async function sendRaw(text: string): Promise<string> {
  return (await sendRawTold(text)).answer;
}

/** With what the observer was told. */
async function sendRawTold(
  text: string,
): Promise<{ readonly answer: string; readonly told: readonly string[] }> {
  const { api, told } = await openDeviceHouse();
  await api.listen({ host: "127.0.0.1", port: 0 });
  const socket = connect((api.server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await Promise.race([once(socket, "close"), once(socket, "data")]);
  socket.destroy();
  await api.close();
  return { answer: Buffer.concat(chunks).toString(), told };
}

test("a request the gate refuses is told to the operator by its reason, with the address", async () => {
  const { answer, told } = await sendRawTold("GET / HTTP/1.1\r\nHost: x\r\na : b\r\n\r\n");

  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.deepEqual(told, ["refused header_name   127.0.0.1"]);
});

test("sloppy firmware is understood: two blanks, bare line feeds, a stray header, blank lines after the body", async () => {
  const body = '{"binary_data": "aGk="}';

  const answer = await sendRaw(
    `POST  ${device}:publishEvent HTTP/1.1\nHost: x\nmethod: post\r\nauthorization: Bearer ${mintToken()}\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\n\r\n${body}\r\n\r\n`,
  );

  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
});

test("Transfer-Encoding together with Content-Length is refused and the connection closed", async () => {
  const answer = await sendRaw(
    `POST ${device}:publishEvent HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${mintToken()}\r\n` +
      "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
  );

  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /connection: close/i);
});

test("no answer repeats the token", async () => {
  const { call } = await openDeviceHouse();
  const token = mintToken({ aud: "other" });

  const answer = await call("POST", `${device}:publishEvent`, {}, `Bearer ${token}`);

  assert.ok(!answer.body.includes(token.slice(0, 20)));
});

test("stray bytes behind a good request are told of after its answer, not instead of it", async () => {
  const waiting: (() => void)[] = [];
  const { api } = await openDeviceHouse({
    takeEvent: (_principal, _event, done) => waiting.push(() => done({ kind: "durable" })),
    takeState: () => undefined,
  });
  await api.listen({ host: "127.0.0.1", port: 0 });
  const socket = connect({ port: (api.server.address() as AddressInfo).port, host: "127.0.0.1" });
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
  });
  const body = '{"binaryData":"b24="}';

  socket.write(
    `POST ${device}:publishEvent HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${mintToken()}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}{"what":"is this"}\r\n\r\n`,
  );
  while (waiting.length === 0) await new Promise(setImmediate);
  const heardAtTheFault = heard;
  waiting[0]?.();
  await once(socket, "close");

  assert.equal(heardAtTheFault, "");
  assert.deepEqual(
    [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ["200", "400"],
  );
  await api.close();
});

test("messages above the rate are 429 with the seconds to wait, and states by their own", async () => {
  const { house, call } = await openDeviceHouse();
  await house.call("PATCH", `/mayfly${lab}/plant`, { policy: { messagesPerSecond: 3, statesPerSecond: 1 } });
  const publishOne = () => call("POST", `${device}:publishEvent`, { binaryData: "aGk=" });
  const setState = () => call("POST", `${device}:setState`, { state: { binaryData: "aGk=" } });

  const states = [await setState(), await setState(), await setState()];
  const events = [await publishOne(), await publishOne()];

  assert.deepEqual(
    [...states, ...events].map((answer) => [answer.statusCode, answer.headers["retry-after"]]),
    [
      [200, undefined],
      [200, undefined],
      [429, "1"],
      [200, undefined],
      [429, "1"],
    ],
  );
  assert.equal(events[1]?.json().error.status, "RESOURCE_EXHAUSTED");
  house.clock.wall += 1;
  assert.deepEqual([(await setState()).statusCode, (await publishOne()).statusCode], [200, 200]);
});

test("the device listener takes a stated number of connections", async () => {
  const { api } = await openDeviceHouse();

  assert.equal(api.server.maxConnections, 2_000);
});

test("an empty config has its line, with empty binaryData", async () => {
  const { call } = await openDeviceHouse();

  const answer = await call("GET", `${device}/config`);

  assert.match(answer.body, /^ {2}"binaryData": "",$/m);
});

test("a publish over HTTP is a DEBUG entry of the device's log, with protocol HTTP", async () => {
  const { house, call } = await openDeviceHouse();
  const devicePath = `${lab}/plant/devices/sensor-1`;
  const { numId } = (await house.call("PATCH", `${devicePath}?updateMask=log_level`, { logLevel: "DEBUG" }))
    .body;

  await call("POST", `${device}:publishEvent`, { binaryData: "aGk=" });

  const entries = house.ports.deviceLog.list(numId);
  assert.deepEqual(
    entries.map(({ severity, event }) => [severity, event.eventType, event.protocol].join(" ")),
    ["DEBUG PUBLISH HTTP"],
  );
});

/**
 * The HTTP bridge as Cloud IoT Core's devices know it, by programs we did not write: curl, Python's http.client, awk
 * for the reader in the firmware, and the firmware's own bytes on a socket.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { location, project, registry } from "../process/bridge-process.ts";
import { HttpHouse } from "./http-house.ts";

const house = new HttpHouse();
const registryPath = `/v1/projects/${project}/locations/${location}/registries/${registry}`;
const json = ["-H", "content-type: application/json"];
const denied = { code: 403, message: "The caller does not have permission", status: "PERMISSION_DENIED" };

before(async () => {
  await house.open(["sensor-1", "sensor-2"], "--policy", "iot-core");
  const topic = { pubsubTopicName: `projects/${project}/topics/telemetry` };
  await house.admin("PATCH", `${registryPath}?updateMask=event_notification_configs`, {
    eventNotificationConfigs: [topic],
  });
  await house.setConfig("sensor-1", "on");
  // The subscription begins with its first pull; each test that publishes pulls what it published.
  await pulled();
});
after(() => house.bridge.end());

/** What came since the last time: device, subfolder, text. */
async function pulled(): Promise<readonly string[]> {
  return (await house.bridge.pull()).map(({ device, subfolder, text }) => `${device} ${subfolder} ${text}`);
}

async function stateOf(device: string): Promise<unknown> {
  const { state } = await house.admin("GET", `${registryPath}/devices/${device}`);
  return (state as { readonly binaryData?: string } | undefined)?.binaryData;
}

/** The header with the token that curl sent last. */
function tokenFile(): string {
  return join(house.bridge.folder, "curl.conf");
}

function awk(program: string, text: string): string {
  return execFileSync("awk", [program], { input: text }).toString();
}

test("checklist 5: success is 200 with a body, {} and a line end", async () => {
  const event = await house.curl("sensor-1", ":publishEvent", ...json, "-d", '{"binaryData":"aGk="}');
  const state = await house.curl("sensor-1", ":setState", ...json, "-d", '{"state":{"binaryData":"aGk="}}');

  assert.deepEqual([event.status, event.body, event.bytes], [200, "{}\n", 3]);
  assert.deepEqual([state.status, state.body], [200, "{}\n"]);
  assert.deepEqual(await pulled(), ["sensor-1  hi"]);
});

test("checklist 5: a config is pretty JSON that the firmware's reader of lines understands", async () => {
  const { body } = await house.curl("sensor-1", "/config?local_version=0");

  // The reader takes the line that holds binaryData, from three behind `: ` up to a quote and a comma; without the
  // comma, the whole rest.
  const read = awk(
    '/"binaryData"/ { at = index($0, ": "); rest = substr($0, at + 3); sub(/",.*/, "", rest); print rest }',
    body,
  );
  assert.match(
    body,
    /^\{\n {2}"version": "2",\n {2}"binaryData": "b24=",\n {2}"cloudUpdateTime": "[^"]+"\n\}\n$/,
  );
  assert.equal(read, "b24=\n");
});

for (const [sentence, body] of [
  ["camelCase", '{"binaryData":"aGk=","subFolder":"alarm/door"}'],
  ["snake_case", '{"binary_data":"aGk=","sub_folder":"alarm/door"}'],
] as const) {
  test(`checklist 5: both spellings: an event in ${sentence}`, async () => {
    const { status } = await house.curl("sensor-1", ":publishEvent", ...json, "-d", body);

    assert.equal(status, 200);
    assert.deepEqual(await pulled(), ["sensor-1 alarm/door hi"]);
  });
}

test("checklist 5: both spellings of the local version", async () => {
  const camel = await house.curl("sensor-1", "/config?localVersion=1");
  const snake = await house.curl("sensor-1", "/config?local_version=1");

  assert.equal(camel.body, snake.body);
});

for (const data of ["+/8=", "-_8=", "+/8", "-_8", "+_8="]) {
  test(`checklist 5: both base64 alphabets: ${data} is FB FF`, async () => {
    const { status } = await house.curl(
      "sensor-1",
      ":publishEvent",
      ...json,
      "-d",
      `{"binary_data":"${data}"}`,
    );

    assert.equal(status, 200);
    assert.deepEqual(
      (await house.bridge.pull()).map(({ bytes }) => Buffer.from(bytes).toString("hex")),
      ["fbff"],
    );
  });
}

test("checklist 5: loose request parsing: the ESP8266 sample's telemetry, byte by byte", async () => {
  const body = '{"binary_data": "aGk="}';
  const line = await house.dial();

  line.write(
    `POST  ${house.path("sensor-1")}:publishEvent HTTP/1.1\r\nhost: cloudiotdevice.googleapis.com\r\nmethod: post\r\n` +
      `cache-control: no-cache\r\nauthorization: Bearer ${house.token("sensor-1")}\r\n` +
      `content-type: application/json\r\ncontent-length:${body.length}\r\n\r\n${body}\r\n\r\n\r\n`,
  );
  await line.until(1);
  line.end();

  assert.match(line.answers[0]?.head ?? "", /^HTTP\/1\.1 200 OK\r\n/);
  assert.deepEqual(await pulled(), ["sensor-1  hi"]);
});

test("checklist 5: loose request parsing: a state in bare line feeds and CRLF mixed, two on one connection", async () => {
  const body = '{"state": {"binary_data": "bG9vc2U="}}';
  const request =
    `POST  ${house.path("sensor-2")}:setState HTTP/1.1\r\nhost: cloudiotdevice.googleapis.com\nmethod: post\n` +
    `cache-control: no-cache\nauthorization: Bearer ${house.token("sensor-2")}\n` +
    `content-type: application/json\ncontent-length:${body.length}\n\n${body}\n\n\n`;
  const get =
    `GET ${house.path("sensor-2")}/config?local_version=0 HTTP/1.1\nhost: cloudiotdevice.googleapis.com\n` +
    `cache-control: no-cache\nauthorization: Bearer ${house.token("sensor-2")}\n\n`;
  const line = await house.dial();

  line.write(request + get);
  await line.until(2);
  line.end();

  assert.deepEqual(
    line.answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(await stateOf("sensor-2"), "bG9vc2U=");
});

test("checklist 5: loose request parsing: a URL as Host", async () => {
  const { status } = await house.curl(
    "sensor-1",
    "/config",
    ...["-H", "host: https://cloudiotdevice.googleapis.com", "-H", "method: GET"],
  );

  assert.equal(status, 200);
});

test("Python's http.client is served on one connection", async () => {
  const script = join(import.meta.dirname, "device.py");
  const args = [script, "localhost", String(house.port), house.bridge.endpoints.ca, house.path("sensor-1")];

  // A state is taken once a second.
  const printed = execFileSync("python3", args, {
    input: house.token("sensor-1"),
    timeout: 60_000,
  }).toString();

  const [event, state, config = ""] = printed.trim().split("\n");
  assert.deepEqual([event, state], ["200 {}", "200 {}"]);
  assert.match(config, /^200 \{"version": "2", "binaryData": "b24=", "cloudUpdateTime": "[^"]+"\}$/);
  assert.deepEqual(
    (await house.bridge.pull()).map(({ bytes }) => Buffer.from(bytes).toString("latin1")),
    ["\xfb\xff from python"],
  );
});

test("a device may be named by its id or its number, in the path of each call", async () => {
  const { numId } = await house.admin("GET", `${registryPath}/devices/sensor-1`);
  const url = `${house.bridge.endpoints.deviceHttps}${house.path(String(numId))}`;
  const authorized = ["-K", tokenFile()];
  await house.curl("sensor-1", "/config");

  const event = await house.curlUrl(`${url}:publishEvent`, ...authorized, "-d", '{"binaryData":"aGk="}');
  const config = await house.curlUrl(`${url}/config`, ...authorized);

  assert.deepEqual([event.status, config.status], [200, 200]);
  assert.deepEqual(await pulled(), ["sensor-1  hi"]);
});

test("the beta's path is served", async () => {
  const url = `${house.bridge.endpoints.deviceHttps}${house.path("sensor-1").replace("/v1/", "/v1beta1/")}/config`;
  await house.curl("sensor-1", "/config");

  const answer = await house.curlUrl(url, "-K", tokenFile());

  assert.equal(answer.status, 200);
});

test("without a token the answer is 401 in 123 bytes, as curl counts them", async () => {
  const answer = await house.curlUrl(`${house.bridge.endpoints.deviceHttps}${house.path("sensor-1")}/config`);

  assert.deepEqual([answer.status, answer.bytes], [401, 123]);
  assert.equal(JSON.parse(answer.body).error.message, 'No "authorization" header found.');
});

test("an unknown device, another device's path, a broken token and no token behind Bearer get one and the same 403", async () => {
  const base = `${house.bridge.endpoints.deviceHttps}${house.path("sensor-1")}`;
  await house.curl("sensor-1", "/config"); // leaves its token in the file
  const answers = [
    await house.curlUrl(`${base}/config`, "-H", "authorization: Bearer x.y.z"),
    await house.curlUrl(`${base}/config`, "-H", "authorization: Bearer"),
    await house.curlUrl(
      `${base.replace("sensor-1", "sensor-9")}/config`,
      "-H",
      "authorization: Bearer x.y.z",
    ),
    await house.curlUrl(`${base.replace("sensor-1", "sensor-2")}/config`, "-K", tokenFile()),
  ];

  for (const answer of answers) {
    assert.equal(answer.status, 403);
    assert.deepEqual(JSON.parse(answer.body).error, denied);
  }
});

test("a blocked device, and a registry with HTTP disabled, get that 403 too", async () => {
  const device = `${registryPath}/devices/sensor-2`;
  await house.admin("PATCH", `${device}?updateMask=blocked`, { blocked: true });
  const blocked = await house.curl("sensor-2", "/config");
  await house.admin("PATCH", `${device}?updateMask=blocked`, { blocked: false });
  await house.admin("PATCH", `${registryPath}?updateMask=http_config`, {
    httpConfig: { httpEnabledState: "HTTP_DISABLED" },
  });
  const disabled = await house.curl("sensor-1", "/config");
  await house.admin("PATCH", `${registryPath}?updateMask=http_config`, {
    httpConfig: { httpEnabledState: "HTTP_ENABLED" },
  });

  for (const { status, body } of [blocked, disabled]) {
    assert.deepEqual([status, JSON.parse(body).error], [403, denied]);
  }
});

test("base64 that is none is refused in the documented words, with the field", async () => {
  const { status, body } = await house.curl("sensor-1", ":publishEvent", "-d", '{"binary_data":"123"}');

  const says = `Invalid value at 'binary_data' (TYPE_BYTES), Base64 decoding failed for "123"`;
  assert.equal(status, 400);
  assert.deepEqual(JSON.parse(body).error, {
    code: 400,
    message: says,
    status: "INVALID_ARGUMENT",
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        fieldViolations: [{ field: "binary_data", description: says }],
      },
    ],
  });
});

test("a config that is not newer is {}; a local version ahead of the latest is OUT_OF_RANGE", async () => {
  const same = await house.curl("sensor-1", "/config?localVersion=2");
  const ahead = await house.curl("sensor-1", "/config?localVersion=3");

  assert.deepEqual([same.status, same.body], [200, "{}\n"]);
  assert.deepEqual([ahead.status, JSON.parse(ahead.body).error.status], [400, "OUT_OF_RANGE"]);
});

test("Google's own query parameters are tolerated, and the answer stays in lines", async () => {
  const plain = await house.curl("sensor-1", "/config");
  const query =
    "/config?$alt=json%3Benum-encoding=int&alt=json&key=k&prettyPrint=false&quotaUser=q&fields=version";

  const answer = await house.curl("sensor-1", query);

  assert.deepEqual([answer.status, answer.body], [200, plain.body]);
});

test("a chunked body and one behind 100-continue are taken from curl", async () => {
  const body = ["-d", '{"binaryData":"aGk="}'];

  const chunked = await house.curl("sensor-1", ":publishEvent", ...body, "-H", "transfer-encoding: chunked");
  const expected = await house.curl("sensor-1", ":publishEvent", ...body, "-H", "expect: 100-continue", "-v");

  assert.deepEqual([chunked.status, expected.status], [200, 200]);
  assert.match(expected.stderr, /HTTP\/1\.1 100 Continue/);
  assert.deepEqual(await pulled(), ["sensor-1  hi", "sensor-1  hi"]);
});

test("a config fetched over HTTP acknowledges nothing, and no heartbeat is told of it", async () => {
  await house.curl("sensor-1", "/config");

  const device = await house.admin("GET", `${registryPath}/devices/sensor-1`);

  const { deviceAckTime } = device["config"] as { readonly deviceAckTime?: string };
  assert.deepEqual(
    [deviceAckTime, device["lastConfigAckTime"], device["lastHeartbeatTime"]],
    [undefined, undefined, undefined],
  );
  assert.ok(device["lastConfigSendTime"] !== undefined);
});

test("an answer has its length, and no chunks a reader of lines would stumble over", async () => {
  const { body } = await house.curl("sensor-1", "/config", "--raw", "-i");

  assert.match(body, /\r\ncontent-length: \d+\r\n/i);
  assert.doesNotMatch(body, /transfer-encoding/i);
});

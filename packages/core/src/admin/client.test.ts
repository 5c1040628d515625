import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AdminFetch, createAdminClient } from "./client.ts";
import { AdminApiError } from "./error.ts";
import { JSON_LINE_BYTES_MAX, readJsonLines } from "./json-lines.ts";

const at = { project: "mayfly", location: "lab", registry: "a+b%~c", device: "d-1" };

function clientAnswering(status: number, text: string) {
  const requests: { url: string; method: string; headers: Record<string, string>; body?: string }[] = [];
  const fetch: AdminFetch = async (url, init) => {
    requests.push({ url, ...init });
    return { status, text: async () => text, body: null };
  };
  return { requests, client: createAdminClient({ baseUrl: "https://bridge:9443", token: "secret", fetch }) };
}

test("ids travel percent-encoded and the token as a bearer", async () => {
  const { client, requests } = clientAnswering(200, "{}");

  await client.deleteDevice(at);

  assert.deepEqual(requests, [
    {
      url: "https://bridge:9443/v1/projects/mayfly/locations/lab/registries/a%2Bb%25~c/devices/d-1",
      method: "DELETE",
      headers: { accept: "application/json", authorization: "Bearer secret" },
    },
  ]);
});

test("an update sends its mask, so that what is left out is cleared", async () => {
  const { client, requests } = clientAnswering(200, "{}");

  await client.updateDevice(at, { blocked: true }, ["blocked", "metadata"]);

  assert.match(requests[0]?.url ?? "", /\?updateMask=blocked%2Cmetadata$/);
  assert.equal(requests[0]?.body, '{"blocked":true}');
});

test("authentication records are asked for with a limit, or all of them without", async () => {
  const { client, requests } = clientAnswering(200, '{"records":[]}');

  const log = await client.getAuthentications(at, 5);
  await client.getAuthentications(at);

  assert.deepEqual(log, { records: [] });
  const path = "mayfly/v1/projects/mayfly/locations/lab/registries/a%2Bb%25~c/devices/d-1/authentications";
  assert.deepEqual(
    requests.map(({ method, url }) => `${method} ${url}`),
    [`GET https://bridge:9443/${path}?limit=5`, `GET https://bridge:9443/${path}`],
  );
});

test("bindings name gateway and device, and a list asks for one side of them", async () => {
  const { client, requests } = clientAnswering(200, "{}");

  await client.bindDevice(at, "gw-1", "d-1");
  await client.unbindDevice(at, "gw-1", "d-1");
  await client.listDevices(at, { boundToGateway: "gw+1" });
  await client.listDevices(at, { gatewaysOfDevice: "d-1" });
  await client.listDevices(at, { gatewayType: "GATEWAY" });

  const registry = "https://bridge:9443/v1/projects/mayfly/locations/lab/registries/a%2Bb%25~c";
  assert.deepEqual(
    requests.map(({ method, url, body }) => [method, url.replace(registry, ""), body].join(" ").trim()),
    [
      'POST :bindDeviceToGateway {"gatewayId":"gw-1","deviceId":"d-1"}',
      'POST :unbindDeviceFromGateway {"gatewayId":"gw-1","deviceId":"d-1"}',
      "GET /devices?gatewayListOptions.associationsGatewayId=gw%2B1",
      "GET /devices?gatewayListOptions.associationsDeviceId=d-1",
      "GET /devices?gatewayListOptions.gatewayType=GATEWAY",
    ],
  );
});

test("lists that are absent are empty", async () => {
  const { client } = clientAnswering(200, "{}");

  assert.deepEqual((await client.listDevices(at)).devices, []);
  assert.deepEqual(await client.listConfigVersions(at), []);
  assert.deepEqual(await client.pull({ project: "mayfly", subscription: "s-1" }, { maxMessages: 1 }), []);
});

for (const [status, text, code, message] of [
  [404, '{"error":{"code":404,"message":"gone","status":"NOT_FOUND"}}', "NOT_FOUND", "gone"],
  [502, "<html>", "UNKNOWN", "the server answered HTTP 502 without a reason"],
  [500, '{"error":"x"}', "UNKNOWN", "the server answered HTTP 500 without a reason"],
  [
    400,
    '{"error":{"status":"constructor","message":"x"}}',
    "UNKNOWN",
    "the server answered HTTP 400 without a reason",
  ],
  [200, "<html>", "UNKNOWN", "the server's answer is not JSON"],
] as const) {
  test(`HTTP ${status} with ${text.slice(0, 20)} is an AdminApiError ${code}`, async () => {
    const { client } = clientAnswering(status, text);

    await assert.rejects(client.getDevice(at), (error) => {
      assert.ok(error instanceof AdminApiError);
      assert.deepEqual([error.httpStatus, error.status, error.message], [status, code, message]);
      return true;
    });
  });
}

test("JSON lines are whole whatever the chunking", async () => {
  const values = fc.array(fc.record({ text: fc.string({ unit: "binary" }), number: fc.integer() }), {
    maxLength: 8,
  });
  const sizes = fc.integer({ min: 1, max: 9 });

  await fc.assert(
    fc.asyncProperty(values, sizes, async (sent, size) => {
      const bytes = new TextEncoder().encode(sent.map((value) => `${JSON.stringify(value)}\n\n`).join(""));
      const received: unknown[] = [];

      for await (const value of readJsonLines(chunked(bytes, size))) received.push(value);

      assert.deepEqual(received, JSON.parse(JSON.stringify(sent)));
    }),
    { numRuns: 50 },
  );
});

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("a line past the bound, or one that is not JSON, is DATA_LOSS", async () => {
  const endless = [new Uint8Array(JSON_LINE_BYTES_MAX), new Uint8Array(1)];
  const garbage = [new TextEncoder().encode("{\n")];

  for (const chunks of [endless, garbage]) {
    await assert.rejects(
      (async () => {
        for await (const _value of readJsonLines(streamOf(chunks)));
      })(),
      (error) => error instanceof AdminApiError && error.status === "DATA_LOSS",
    );
  }
});

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

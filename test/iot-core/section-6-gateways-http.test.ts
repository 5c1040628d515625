/**
 * Section 6 of the contract over HTTP: gateways as curl, openssl and `mayfly` see them, against a bridge in a process of
 * its own. The order of the tests is that of a gateway's life: bound, spoken through, unbound, deleted.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier, location, project, registry } from "../process/bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
const registryPath = `projects/${project}/locations/${location}/registries/${registry}`;
const tokens = new Map<string, string>();

before(async () => {
  await bridge.start();
  await bridge.createRegistry("--policy", "iot-core");
  for (const [id, ...flags] of [
    ["gateway-1", "--gateway", "association-only"],
    ["gateway-2", "--gateway", "association-and-device-auth-token"],
    ["sensor-1"],
    ["sensor-2"],
  ] as const) {
    tokens.set(id, await bridge.mintToken(id, await bridge.createDevice(id, ...flags)));
  }
  // The subscription takes what comes from now on.
  await bridge.pull();
});
after(() => bridge.end());

/** The members that are looked at here, of all answers together. */
interface Body {
  readonly devices?: readonly { readonly id: string }[];
  readonly deviceStates?: readonly { readonly binaryData: string }[];
  readonly gatewayConfig?: {
    readonly lastAccessedGatewayId?: string;
    readonly lastAccessedGatewayTime?: string;
  };
  readonly error?: { readonly status: string };
}

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
}

async function curl(url: string, token: string, data?: object): Promise<Answered> {
  const { stdout } = await execute("curl", [
    ...["--silent", "--show-error", "--max-time", "20", "--cacert", bridge.endpoints.ca, "--http1.1"],
    ...["--write-out", "%{http_code}", "-H", `authorization: Bearer ${token}`],
    ...(data === undefined ? [] : ["-H", "content-type: application/json", "--data", JSON.stringify(data)]),
    url,
  ]);
  const text = stdout.slice(0, -3);
  return { status: Number(stdout.slice(-3)), text, body: JSON.parse(text) as Body };
}

/** The admin API, as an operator's script would call it. */
function admin(path: string, data?: object): Promise<Answered> {
  const token = readFileSync(bridge.endpoints.adminToken, "utf8").trim();
  return curl(`${bridge.endpoints.admin}/v1/${registryPath}${path}`, token, data);
}

/** The HTTP bridge, with the path and token of `as`. */
function device(as: string, verb: string, data?: object): Promise<Answered> {
  return curl(
    `${bridge.endpoints.deviceHttps}/v1/${clientIdentifier(as)}${verb}`,
    tokens.get(as) ?? "",
    data,
  );
}

async function pullWithGateway(): Promise<readonly string[]> {
  const printed = await bridge.must(
    ...["pull", "--location", location, "--registry", registry, "--subscription", "tests"],
    ...["--wait", "1", "--json"],
  );
  return printed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { data = "", attributes } = JSON.parse(line) as {
        data?: string;
        attributes: Readonly<Record<string, string>>;
      };
      const { deviceId, gatewayId, subFolder } = attributes;
      return [deviceId, gatewayId, subFolder, Buffer.from(data, "base64").toString()].join(" ");
    });
}

test("curl binds a device to a gateway, and lists both sides of it", async (t) => {
  requireService(t, "curl");

  const bound = await admin(":bindDeviceToGateway", { gatewayId: "gateway-1", deviceId: "sensor-1" });
  await admin(":bindDeviceToGateway", { gateway_id: "gateway-2", device_id: "sensor-1" });
  const devices = await admin("/devices?gatewayListOptions.associationsGatewayId=gateway-1");
  const gateways = await admin("/devices?gatewayListOptions.associationsDeviceId=sensor-1");

  assert.deepEqual([bound.status, bound.body], [200, {}]);
  assert.deepEqual(
    devices.body.devices?.map(({ id }) => id),
    ["sensor-1"],
  );
  assert.deepEqual(
    gateways.body.devices?.map(({ id }) => id),
    ["gateway-1", "gateway-2"],
  );
});

test("a gateway's curl publishes for a bound device, and the message names both", async (t) => {
  requireService(t, "curl");

  const answer = await device("gateway-1", ":publishEvent", {
    binary_data: "MjEuNQ==",
    sub_folder: "temperature",
    gateway_info: { delegated_device_id: "sensor-1" },
  });

  assert.deepEqual([answer.status, answer.text], [200, "{}\n"]);
  assert.deepEqual(await pullWithGateway(), ["sensor-1 gateway-1 temperature 21.5"]);
});

test("a device's curl publishes through its gateway, and the message names both", async (t) => {
  requireService(t, "curl");

  const answer = await device("sensor-1", ":publishEvent", {
    binaryData: "MjI=",
    gatewayInfo: { gatewayId: "gateway-2" },
  });

  assert.equal(answer.status, 200);
  assert.deepEqual(await pullWithGateway(), ["sensor-1 gateway-2  22"]);
});

test("a gateway's curl sets a device's state and reads its config, line by line as firmware does", async (t) => {
  requireService(t, "curl");
  await bridge.must(
    ...["config", "set", "--location", location, "--registry", registry],
    ...["--device", "sensor-1", "--text", "every 10 s"],
  );

  const state = await device("gateway-1", ":setState", {
    state: { binaryData: "b24=" },
    gatewayInfo: { delegatedDeviceId: "sensor-1" },
  });
  const config = await device("gateway-1", "/config?gatewayInfo.delegatedDeviceId=sensor-1");
  const states = await admin("/devices/sensor-1/states");

  assert.equal(state.status, 200);
  assert.equal(states.body.deviceStates?.[0]?.binaryData, "b24=");
  assert.match(
    config.text,
    /^\{\n {2}"version": "2",\n {2}"binaryData": "ZXZlcnkgMTAgcw==",\n {2}"cloudUpdateTime": "[^"]+"\n\}\n$/,
  );
});

test("without a device's token a gateway whose method asks for one is refused, in the words seen in the field", async (t) => {
  requireService(t, "curl");

  const answer = await device("gateway-2", ":publishEvent", {
    binary_data: "Zm9v",
    gateway_info: { delegated_device_id: "sensor-1" },
  });

  assert.equal(answer.status, 400);
  assert.deepEqual(answer.body, {
    error: { code: 400, message: "Precondition check failed.", status: "FAILED_PRECONDITION" },
  });
});

test("over HTTP a device must be bound, and the operator sees why it was refused", async (t) => {
  requireService(t, "curl");

  const answer = await device("gateway-1", ":publishEvent", {
    gateway_info: { delegated_device_id: "sensor-2" },
  });
  const token = readFileSync(bridge.endpoints.adminToken, "utf8").trim();
  const metrics = await execute("curl", [
    ...["--silent", "--cacert", bridge.endpoints.ca, "-H", `authorization: Bearer ${token}`],
    `${bridge.endpoints.admin}/metrics`,
  ]);

  assert.equal(answer.body.error?.status, "FAILED_PRECONDITION");
  assert.match(metrics.stdout, /mayfly_http_device_refused_total\{reason="not_bound"\} 1/);
  assert.match(metrics.stdout, /mayfly_http_device_refused_total\{reason="token_missing"\} 1/);
});

test("the device shows the gateway that spoke for it last, and when", async (t) => {
  requireService(t, "curl");

  // Last-seen facts are written within 5 s.
  let shown = await admin("/devices/sensor-1");
  for (
    let tries = 0;
    tries < 40 && shown.body.gatewayConfig?.lastAccessedGatewayId !== "gateway-1";
    tries += 1
  ) {
    await wait(250);
    shown = await admin("/devices/sensor-1");
  }

  assert.equal(shown.body.gatewayConfig?.lastAccessedGatewayId, "gateway-1");
  assert.ok(Date.parse(shown.body.gatewayConfig?.lastAccessedGatewayTime ?? "") > Date.now() - 600_000);
  const printed = await bridge.must(
    ...["device", "show", "sensor-1", "--location", location, "--registry", registry],
  );
  assert.match(printed, /gateway: +gateway-1 spoke for it last, 20/);
});

test("a bound gateway is not deleted, and unbound it is", async (t) => {
  requireService(t, "curl");
  const at = ["--location", location, "--registry", registry];

  const refused = await bridge.run("device", "delete", "gateway-1", ...at);
  const unbound = await admin(":unbindDeviceFromGateway", { gatewayId: "gateway-1", deviceId: "sensor-1" });
  const spoken = await device("gateway-1", ":publishEvent", {
    gateway_info: { delegated_device_id: "sensor-1" },
  });
  const deleted = await bridge.run("device", "delete", "gateway-1", ...at);

  assert.match(refused.stderr, /unbind first/);
  assert.deepEqual([unbound.status, spoken.status, deleted.code], [200, 400, 0]);
});

test("where the policy refuses association alone, a binding speaks for nobody", async (t) => {
  requireService(t, "curl");
  const token = readFileSync(bridge.endpoints.adminToken, "utf8").trim();
  const gateway = ["--gateway", "association-only"] as const;
  tokens.set(
    "gateway-3",
    await bridge.mintToken("gateway-3", await bridge.createDevice("gateway-3", ...gateway)),
  );
  await admin(":bindDeviceToGateway", { gatewayId: "gateway-3", deviceId: "sensor-2" });
  const own = `${bridge.endpoints.admin}/mayfly/v1/${registryPath}`;
  const setPolicy = (gatewayAssociationOnly: string) =>
    execute("curl", [
      ...["--silent", "--fail", "--cacert", bridge.endpoints.ca, "-X", "PATCH"],
      ...[
        "-H",
        `authorization: Bearer ${token}`,
        "--data",
        JSON.stringify({ policy: { gatewayAssociationOnly } }),
        own,
      ],
    ]);
  const publish = () =>
    device("gateway-3", ":publishEvent", { gateway_info: { delegated_device_id: "sensor-2" } });

  const before = await publish();
  await setPolicy("refuse");
  const refused = await publish();
  await setPolicy("allow");
  const allowed = await publish();

  assert.deepEqual([before.status, refused.status, allowed.status], [200, 400, 200]);
});

/**
 * Hostile device tokens at both bridges and in both presets: one table, one verdict, and the record that says why.
 * `strict` gets all of it, `iot-core` what it judges otherwise and a sixth of the rest.
 *
 * Each row has a device of its own, so that its authentication records are that row's alone. The peer must not learn
 * the reason: all refusals of a bridge are the same bytes, but for the two that a wrong clock causes.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { location, project, registry } from "../process/bridge-process.ts";
import { manyAtOnce } from "../process/fleet.ts";
import { HostileHouse } from "./hostile-house.ts";
import { hostileTokens, makeToken, type TokenRow, type Verdict } from "./hostile-token-table.ts";
import { type Answer, showToHttp, showToMqtt } from "./token-bearers.ts";

const atOnce = 8;
/** Records are written within 5 s. */
const recordedWithinMillis = 10_000;
const pollMillis = 200;
const refusalOverHttp = `\r\n\r\n${JSON.stringify(
  { error: { code: 403, message: "The caller does not have permission", status: "PERMISSION_DENIED" } },
  null,
  2,
)}\n`;

const house = new HostileHouse();
const presets = { strict: registry, "iot-core": "field" } as const;
type Preset = keyof typeof presets;

before(async () => {
  await house.open(0);
  await house.bridge.must(
    "registry",
    "create",
    presets["iot-core"],
    "--location",
    location,
    "--policy",
    "iot-core",
  );
});
after(() => house.end());

interface Made {
  readonly path: {
    readonly project: string;
    readonly location: string;
    readonly registry: string;
    readonly device: string;
  };
  readonly clientIdentifier: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

async function makeDevice(preset: Preset, device: string, hasKey = true): Promise<Made> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = publicKey.export({ type: "spki", format: "pem" }).toString();
  const path = { project, location, registry: presets[preset], device };
  await house.fleet.admin.createDevice(path, {
    id: device,
    credentials: hasKey ? [{ publicKey: { format: "ES256_PEM", key } }] : [],
  });
  const clientIdentifier = `projects/${project}/locations/${location}/registries/${presets[preset]}/devices/${device}`;
  return { path, clientIdentifier, publicKey, privateKey };
}

/** Does to the device what the row wants. @returns the name under which its token is shown. */
async function prepare(made: Made, standing: TokenRow["standing"]): Promise<string> {
  const { admin } = house.fleet;
  const { path, clientIdentifier } = made;
  const keyId = async () => (await admin.listDeviceKeys(path))[0]?.keyId ?? "";
  switch (standing) {
    case "blocked":
      await admin.updateDevice(path, { blocked: true }, ["blocked"]);
      return clientIdentifier;
    case "key retired":
      await admin.changeDeviceKey(path, await keyId(), { state: "retired" });
      return clientIdentifier;
    case "key revoked":
      await admin.changeDeviceKey(path, await keyId(), { state: "revoked" });
      return clientIdentifier;
    case "key expired":
      await admin.changeDeviceKey(path, await keyId(), { expirationTime: "2020-01-01T00:00:00Z" });
      return clientIdentifier;
    case "tokens of before refused": {
      const soon = new Date((Math.floor(Date.now() / 1000) + 60) * 1000).toISOString();
      await admin.updateDeviceDetails(path, { tokensNotBefore: soon });
      return clientIdentifier;
    }
    case "unknown device":
      return `${clientIdentifier}-gone`;
    case "unknown registry":
      return clientIdentifier.replace("/registries/", "/registries/no-");
    case "unknown location":
      return clientIdentifier.replace(location, "nowhere");
    default:
      return clientIdentifier;
  }
}

interface Seen {
  readonly row: TokenRow;
  readonly expected: Verdict | "bad request";
  readonly path: Made["path"];
  readonly answer: Answer;
}

type Bridge = "mqtt" | "http";

/** Shows the row's token at one of the bridges, in the name of a device that has no other: unproved attempts merge. */
async function show(
  preset: Preset,
  bridge: Bridge,
  row: TokenRow,
  index: number,
  other: Made,
): Promise<Seen> {
  const made = await makeDevice(preset, `${bridge}-${index}`, row.standing !== "no key");
  const shownAs = await prepare(made, row.standing);
  const now = Math.floor(Date.now() / 1000);
  const token = row.token({ now, project, other, ...made, clientIdentifier: shownAs });
  // A source of its own for each few rows: failure limits are another test's.
  const from = `127.${bridge === "mqtt" ? 1 : 2}.${Math.floor(index / 50)}.1`;
  const answer =
    bridge === "mqtt"
      ? await showToMqtt(await house.dial({ from }), preset === "strict" ? 5 : 4, shownAs, token)
      : await showToHttp(await house.dial({ from, port: house.httpPort }), shownAs, token);
  const verdict = preset === "strict" ? row.strict : row.iotCore;
  return { row, expected: bridge === "http" ? (row.http ?? verdict) : verdict, path: made.path, answer };
}

/** What the device's record names; "" for no record. */
async function recorded(path: Made["path"]): Promise<string> {
  const { records } = await house.fleet.admin.getAuthentications(path);
  return records.map((each) => (each.kind === "attempt" ? each.outcome : each.kind)).join(" and ");
}

function asTold(verdict: Verdict | "bad request"): string {
  return verdict === "accepted" || verdict === "bad request" ? verdict : "refused";
}

function asNamed(verdict: Verdict | "bad request"): string {
  return verdict === "token_expired" || verdict === "token_from_future" ? verdict : "";
}

/** A name that nobody has leaves no record, nor does a request that is none. */
function asRecorded(verdict: Verdict | "bad request"): string {
  return verdict === "device_unknown" || verdict === "bad request" ? "" : verdict;
}

test("the table holds 150 hostile tokens and more, each told apart by its name", () => {
  const names = hostileTokens.map(({ what }) => what);
  const hostile = hostileTokens.filter(({ strict }) => strict !== "accepted");

  assert.ok(hostile.length >= 150, `${hostile.length} hostile tokens`);
  assert.deepEqual(
    names.filter((each, at) => names.indexOf(each) !== at),
    [],
  );
});

async function assertSameVerdicts(t: TestContext, preset: Preset): Promise<void> {
  const other = await makeDevice(preset, "other-device");
  const rows = hostileTokens.filter(
    (row, index) => preset === "strict" || row.strict !== row.iotCore || index % 6 === 0,
  );
  const wrong: string[] = [];

  const seen = await manyAtOnce(rows, atOnce, async (row, index) => ({
    mqtt: await show(preset, "mqtt", row, index, other),
    http: await show(preset, "http", row, index, other),
  }));
  const waitsUntil = performance.now() + recordedWithinMillis;
  for (const [bridge, { row, expected, path, answer }] of seen.flatMap((each) => Object.entries(each))) {
    // 3.1.1 has no room for a name.
    const named = bridge === "mqtt" && preset === "iot-core" ? "" : asNamed(expected);
    const wanted = [asTold(expected), named, asRecorded(expected)].join("; ");
    let found = "";
    do {
      if (found !== "") await pause(pollMillis);
      found = [answer.outcome, answer.named, await recorded(path)].join("; ");
    } while (found !== wanted && performance.now() < waitsUntil);
    if (found !== wanted) wrong.push(`${bridge}, ${row.what}: ${found}, not ${wanted}`);
  }
  const refusals = (bridge: Bridge) =>
    new Set(
      seen
        .map((each) => each[bridge].answer)
        .filter(({ outcome, named }) => outcome === "refused" && (named === "" || bridge === "http"))
        .map(({ text }) => text),
    );

  t.diagnostic(`${seen.length} tokens at both bridges`);
  assert.deepEqual(wrong, []);
  assert.equal(refusals("mqtt").size, 1, "CONNACKs that refuse differ");
  assert.deepEqual([...refusals("http")], [refusalOverHttp]);
}

test("in strict both bridges give each hostile token the same verdict, tell no more than they may, and record why", (t) =>
  assertSameVerdicts(t, "strict"));

test("in iot-core both bridges give each hostile token the same verdict, tell no more than they may, and record why", (t) =>
  assertSameVerdicts(t, "iot-core"));

test("a token is good to the last instant of its life and not a moment longer, at both bridges, also for whoever shows it again", async () => {
  const made = await makeDevice("strict", "at-the-edge");
  const other = made;
  const exp = Math.floor(Date.now() / 1000) + 3;
  const victim = { now: exp, project, other, ...made };
  const token = makeToken(victim, { claims: { iat: exp - 60, exp } });
  const showToBoth = async () => {
    const mqtt = await showToMqtt(await house.dial(), 5, made.clientIdentifier, token);
    const http = await showToHttp(await house.dial({ port: house.httpPort }), made.clientIdentifier, token);
    return [mqtt.outcome, http.outcome];
  };

  const before = await showToBoth();
  const isInTime = Date.now() < exp * 1000;
  await pause(exp * 1000 + 5 - Date.now());
  const replayed = await showToBoth();

  assert.ok(isInTime);
  assert.deepEqual(before, ["accepted", "accepted"]);
  assert.deepEqual(replayed, ["refused", "refused"]);
});

test("all the while an honest device is served within 2 s, the process lives and grows little, and nothing is left of the forgers", async (t) => {
  t.diagnostic(JSON.stringify(await house.verdict()));
});

/**
 * A device's keys, from the operator's command to the chip and back: `mayfly serve`, `mayfly agent` and a simulated
 * chip as processes, with curl as the operator's other tool and openssl as the reader of the key the chip has made.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BridgeProcess, location, mayflyMain, project, registry } from "./bridge-process.ts";

const bridge = new BridgeProcess();
const place = ["--location", location, "--registry", registry];
const registryPath = `projects/${project}/locations/${location}/registries/${registry}`;
const socket = join(bridge.folder, "chip.sock");
const state = join(bridge.folder, "state");
const children: ChildProcess[] = [];

interface Line {
  readonly state: string;
  readonly slot?: number;
  readonly keyId: string;
  readonly sent: number;
  readonly acked: number;
  readonly refused: number;
}

interface ChipKey {
  readonly slot: number;
  readonly keyId: string;
  readonly pem: string;
}

interface Details {
  readonly instruction?: { readonly outcome?: string; readonly offer?: string };
  readonly keys: readonly {
    readonly keyId: string;
    readonly slot?: number;
    readonly state: string;
    readonly key: string;
  }[];
  readonly session: { readonly connected: boolean; readonly session?: { readonly keyId: string } };
}

let chipSerial = "";
let chipKeys: readonly ChipKey[] = [];
let attestationPem = "";

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  const chip = spawn(process.execPath, [mayflyMain, "chip", "sim", "--socket", socket, "--kind", "mayfly"]);
  children.push(chip);
  await once(chip.stdout, "data");
  const info = JSON.parse(chipText("info")) as {
    readonly serialNumber: string;
    readonly keys: readonly ChipKey[];
  };
  chipSerial = info.serialNumber;
  chipKeys = info.keys;
  const attested = JSON.parse(chipText("attest", "--slot", "0")) as {
    readonly attestationKey: { readonly pem: string };
  };
  attestationPem = attested.attestationKey.pem;
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await bridge.end();
});

function chipText(...args: readonly string[]): string {
  const all = [mayflyMain, "chip", ...args, "--socket", socket, "--json"];
  return execFileSync(process.execPath, all, { encoding: "utf8", stdio: "pipe" });
}

/** A device with slot 0 active and slot 2 pending; slot 3 is in the chip and in no registry. */
async function createDevice(id: string): Promise<void> {
  const flags = [0, 2].flatMap((slot) => {
    const file = join(bridge.folder, `${id}-${slot}.pub.pem`);
    writeFileSync(file, chipKeys.find((key) => key.slot === slot)?.pem ?? "");
    return ["--public-key", `${file}:${slot}`];
  });
  await bridge.must("device", "create", id, ...place, ...flags, "--pending");
}

function startAgent(id: string, folder: string): { readonly child: ChildProcess; readonly lines: Line[] } {
  const child = spawn(process.execPath, [
    ...[mayflyMain, "agent", "--json", "--device", id, "--chip-socket", socket],
    ...["--slot", "0", "--spare-slot", "2", "--spare-slot", "3", "--make-keys", "--state", folder],
    ...["--endpoints", join(bridge.data, "endpoints.json"), "--registry", registryPath],
    ...["--publish-every", "0.05", "--run", id],
  ]);
  children.push(child);
  const lines: Line[] = [];
  let rest = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push(JSON.parse(part) as Line);
  });
  child.stderr?.resume();
  return { child, lines };
}

/** Lines come each second, so this is patience with a bound and no sleep of a guessed length. */
async function until(child: ChildProcess, what: () => boolean, secondsMax = 40): Promise<void> {
  const deadline = performance.now() + secondsMax * 1_000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not within ${secondsMax} s`);
    await once(child.stdout ?? child, "data");
  }
}

async function details(id: string): Promise<Details> {
  return JSON.parse(await bridge.must("device", "show", id, ...place, "--json")) as Details;
}

/** What an operator's program does that is not ours. */
function curl(method: string, path: string, body: unknown): string {
  const token = readFileSync(bridge.endpoints.adminToken, "utf8").trim();
  return execFileSync(
    "curl",
    [
      ...["--silent", "--show-error", "--fail-with-body", "--cacert", bridge.endpoints.ca, "-X", method],
      ...["-H", "content-type: application/json", "-H", "@-", "-d", JSON.stringify(body)],
      `${bridge.endpoints.admin}/mayfly/v1/${registryPath}${path}`,
    ],
    { encoding: "utf8", input: `authorization: Bearer ${token}\n` },
  );
}

test("a device switches to its next key under 20 messages a second, and every message arrives once", async (t) => {
  await createDevice("switching");
  await bridge.pull();
  const { child, lines } = startAgent("switching", state);
  await until(child, () => lines.some(({ state, acked }) => state === "connected" && acked > 20));

  const said = await bridge.must("device", "instruct", "switching", ...place, "--use-slot", "2");
  await until(child, () => lines.at(-1)?.slot === 2);
  const shown = await details("switching");
  child.kill("SIGTERM");
  await once(child, "exit");

  assert.match(said, /use slot 2/);
  assert.equal(shown.instruction?.outcome, "done");
  assert.equal(shown.session.session?.keyId, chipKeys.find(({ slot }) => slot === 2)?.keyId);
  const last = lines.at(-1);
  assert.ok(last !== undefined);
  assert.deepEqual([last.acked, last.refused], [last.sent, 0]);
  const texts = (await bridge.pull()).map(({ text }) => (JSON.parse(text) as { sequence: number }).sequence);
  assert.deepEqual(
    texts.toSorted((a, b) => a - b),
    // What came of the instruction was sent as well, and is for the bridge.
    Array.from({ length: last.sent - 1 }, (_, i) => i + 1),
  );
  t.diagnostic(`${last.sent - 1} messages sent, acknowledged and delivered once`);
});

test("an agent killed as soon as it has taken an instruction goes on with it at its next start", async () => {
  const first = startAgent("switching", state);
  await until(first.child, () => first.lines.at(-1)?.state === "connected");
  assert.equal(first.lines.at(-1)?.slot, 2, "what it switched to outlives the process");

  await bridge.must("device", "instruct", "switching", ...place, "--use-slot", "0");
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const second = startAgent("switching", state);
  await until(second.child, () => second.lines.at(-1)?.state === "connected");
  const shown = await details("switching");
  second.child.kill("SIGKILL");
  await once(second.child, "exit");

  assert.equal(second.lines.at(-1)?.slot, 0);
  assert.equal(shown.session.session?.keyId, chipKeys.find(({ slot }) => slot === 0)?.keyId);
});

test("an agent whose key was retired while it was off finds the other, and remembers it", async () => {
  await bridge.must("device", "keys", "retire", "switching", chipKeys[0]?.keyId ?? "", ...place);
  const first = startAgent("switching", state);
  await until(first.child, () => first.lines.filter((line) => line.state === "connected").length > 1);
  first.child.kill("SIGKILL");
  await once(first.child, "exit");

  const second = startAgent("switching", state);
  await until(second.child, () => second.lines.length > 0);
  second.child.kill("SIGKILL");
  await once(second.child, "exit");

  assert.equal(first.lines.at(-1)?.slot, 2);
  assert.equal(second.lines[0]?.slot, 2);
});

test("a key made in the chip is offered, attested, taken as pending, and can be used", async () => {
  curl("PATCH", "", { policy: { keyOffers: "attested" } });
  curl("PATCH", "/devices/switching", { attestation: { chipSerial, slot: 1, key: attestationPem } });
  const { child, lines } = startAgent("switching", state);
  await until(child, () => lines.at(-1)?.state === "connected");
  const inUse = lines.at(-1)?.slot;
  await bridge.must(
    "device",
    "keys",
    "activate",
    "switching",
    (await details("switching")).keys.at(-1)?.keyId ?? "",
    ...place,
  );

  await bridge.must("device", "instruct", "switching", ...place, "--offer-slot", "3");
  let shown = await details("switching");
  while (shown.instruction?.offer === undefined) {
    await once(child.stdout ?? child, "data");
    shown = await details("switching");
  }

  assert.equal(inUse, 2);
  assert.equal(shown.instruction.offer, "taken");
  const offered = shown.keys.find(({ slot }) => slot === 3);
  assert.equal(offered?.state, "pending");
  const read = execFileSync("openssl", ["pkey", "-pubin", "-noout", "-text"], {
    input: offered.key,
    encoding: "utf8",
  });
  assert.match(read, /P-256/);

  await bridge.must("device", "instruct", "switching", ...place, "--use-key", offered.keyId);
  await until(child, () => lines.at(-1)?.slot === 3);
  const after = await details("switching");
  child.kill("SIGTERM");
  await once(child, "exit");
  assert.equal(after.session.session?.keyId, offered.keyId);
  // The chip's own word, by another command than the one that made the key.
  const info = JSON.parse(chipText("info")) as { readonly keys: readonly ChipKey[] };
  assert.equal(info.keys.find(({ slot }) => slot === 3)?.keyId, offered.keyId);
});

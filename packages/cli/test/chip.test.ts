/**
 * `mayfly chip …` against `mayfly chip sim`: real processes on both sides of a socket.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { jwtVerify } from "jose";
import { openLastingSigners } from "../src/host/chip.ts";
import { SharedBuses } from "../src/host/shared-buses.ts";
import { type Finished, mayfly, type Running, startMayfly, temporaryFolder } from "./mayfly.ts";

const device = ["--project", "plant", "--location", "europe-west1", "--registry", "reg", "--device", "dev-1"];

interface Bench {
  readonly folder: string;
  readonly socket: string;
  readonly image: string;
  sim: Running;
  /** Runs `mayfly chip …` on this chip. */
  chip(...args: readonly string[]): Promise<Finished>;
  restart(): Promise<void>;
}

/** A simulated chip in a folder of its own. */
async function bench(t: TestContext, ...flags: readonly string[]): Promise<Bench> {
  const folder = await temporaryFolder(t);
  const [socket, image] = [join(folder, "chip.sock"), join(folder, "chip.img")];
  const start = async (): Promise<Running> => {
    const sim = startMayfly(t, ["chip", "sim", "--socket", socket, "--image", image, ...flags]);
    await sim.line((line) => line.startsWith("ready"));
    return sim;
  };
  const made: Bench = {
    folder,
    socket,
    image,
    sim: await start(),
    chip: (...args) => mayfly(t, ["chip", ...args, "--socket", socket], { cwd: folder }),
    async restart() {
      made.sim = await start();
    },
  };
  return made;
}

test("a simulator is ready when its socket exists; SIGTERM keeps its image for its owner and takes the socket away", async (t) => {
  const chip = await bench(t, "--kind", "mayfly");
  const existed = existsSync(chip.socket);
  const before = await chip.chip("counter", "0", "--increment", "--json");

  chip.sim.kill("SIGTERM");
  const { code, stdout } = await chip.sim.ended;
  const isGone = !existsSync(chip.socket);
  await chip.restart();
  const after = await chip.chip("counter", "0", "--json");

  assert.equal(existed, true);
  assert.deepEqual([code, stdout.split("\n").length, isGone], [0, 2, true]);
  assert.equal(statSync(chip.image).mode & 0o777, 0o600);
  assert.deepEqual([before.stdout, after.stdout], ['{"counter":0,"value":1}\n', '{"counter":0,"value":1}\n']);
});

test("a simulator takes the place of one that was killed, and leaves one that runs alone", async (t) => {
  const chip = await bench(t);
  const beside = await mayfly(t, ["chip", "sim", "--socket", chip.socket]);

  chip.sim.kill("SIGKILL");
  await chip.sim.ended;
  await chip.restart();

  assert.equal(beside.code, 1);
  assert.match(beside.stderr, /is in use/);
  assert.equal((await chip.chip("info")).code, 0);
});

test("a file that is no image is refused and left as it is", async (t) => {
  const folder = await temporaryFolder(t);
  const image = join(folder, "chip.img");
  writeFileSync(image, "no chip");

  const { code, stderr } = await mayfly(t, ["chip", "sim", "--socket", join(folder, "s"), "--image", image]);

  assert.equal(code, 1);
  assert.match(stderr, /cannot use .*: this file is no chip image/);
  assert.equal(readFileSync(image, "utf8"), "no chip");
});

test("a provisioned chip says what it is, and signs tokens that another library verifies", async (t) => {
  const chip = await bench(t, "--kind", "mayfly");

  const info = JSON.parse((await chip.chip("info", "--json")).stdout) as {
    serialNumber: string;
    configLocked: boolean;
    keys: { slot: number; keyId: string; pem: string }[];
  };
  const pem = (await chip.chip("info", "--public-key", "2")).stdout;
  const { stdout } = await chip.chip("sign-token", "--slot", "2", ...device);

  assert.match(info.serialNumber, /^0123[0-9a-f]{12}ee$/);
  assert.equal(info.configLocked, true);
  assert.deepEqual(
    info.keys.map(({ slot }) => slot),
    [0, 1, 2, 3],
  );
  assert.equal(info.keys[2]?.pem, pem);
  const { payload, protectedHeader } = await jwtVerify(stdout.trim(), createPublicKey(pem), {
    audience: "plant",
    typ: "JWT",
  });
  assert.equal(payload.sub, "projects/plant/locations/europe-west1/registries/reg/devices/dev-1");
  assert.deepEqual(protectedHeader, { alg: "ES256", typ: "JWT", kid: info.keys[2]?.keyId });
});

test("what a chip forbids is one sentence and exit code 1: a token by the attestation slot", async (t) => {
  const chip = await bench(t, "--kind", "mayfly");

  const { code, stdout, stderr } = await chip.chip("sign-token", "--slot", "1", ...device, "--json");

  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "chip_status_execution");
});

test("an attestation names the key the chip holds, made before or just now", async (t) => {
  const chip = await bench(t, "--kind", "mayfly");
  const challenge = "00112233445566778899aabbccddeeff00112233";
  const attest = async (...more: readonly string[]) =>
    JSON.parse(
      (await chip.chip("attest", "--slot", "3", "--challenge", challenge, "--json", ...more)).stdout,
    ) as {
      keyId: string;
      pem: string;
      created: boolean;
      attestation: { challenge: string };
    };

  const found = await attest();
  const made = await attest("--new-key");
  const pem = (await chip.chip("info", "--public-key", "3")).stdout;

  assert.deepEqual([found.created, made.created, found.attestation.challenge], [false, true, challenge]);
  assert.notEqual(found.keyId, made.keyId);
  assert.equal(made.pem, pem);
});

test("a blank chip has no random numbers, is not as planned, and its configuration is explained", async (t) => {
  const chip = await bench(t);

  const random = await chip.chip("random");
  const check = await chip.chip("config", "check");
  const explained = await chip.chip("config", "explain");
  const planned = await chip.chip("config", "explain", "--plan", "mayfly");

  assert.equal(random.code, 1);
  assert.match(random.stderr, /not locked: its random numbers are constant/);
  assert.equal(check.code, 1);
  assert.match(check.stdout, /^To be mayfly, this would have to change:\nSlot configuration of slot 0/);
  assert.match(explained.stdout, /^The configuration is open\./);
  assert.notEqual(planned.stdout, explained.stdout);
});

test("a dry run touches nothing; without agreement provisioning stops before the lock and says what would be for ever", async (t) => {
  const chip = await bench(t);
  const before = readFileSync(chip.image);

  const dryRun = await chip.chip("provision", "--dry-run");
  const untouched = readFileSync(chip.image);
  const refused = await chip.chip("provision");
  const check = await chip.chip("config", "check", "--json");

  assert.equal(dryRun.code, 0);
  assert.match(dryRun.stdout, /Lock the data and OTP zones\.\n +for ever: /);
  assert.deepEqual(untouched, before);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /The configuration can never be changed again\. .*Agree with --yes-lock-forever\.$/m,
  );
  assert.deepEqual(JSON.parse(check.stdout), {
    plan: "mayfly",
    asPlanned: true,
    locked: false,
    differences: [],
  });
});

test("a chip locked with another configuration is refused before anything is done to it", async (t) => {
  const chip = await bench(t, "--kind", "trust-and-go");
  const { code, stderr } = await mayfly(t, [
    ...["chip", "provision", "--socket", `${chip.socket}@0x35`, "--yes-lock-forever", "--data", chip.folder],
  ]);

  assert.equal(code, 1);
  assert.match(stderr, /The chip is locked with another configuration than planned\./);
});

test("a plan that would move the chip is taken only when the move is asked for", async (t) => {
  const chip = await bench(t);

  const moved = await chip.chip("provision", "--new-address", "0x35", "--yes-lock-forever", "--json");
  const there = await mayfly(t, ["chip", "random", "--socket", `${chip.socket}@0x35`]);

  assert.equal(moved.code, 0, moved.stderr);
  assert.match(there.stdout, /^[0-9a-f]{64}\n$/);
});

test("provisioning goes on where it was after the chip's process is killed between any two steps", async (t) => {
  // In real time, so that there is a moment between two steps.
  const chip = await bench(t, "--real-time");
  const content = join(chip.folder, "content");
  writeFileSync(content, "greenhouse 7");
  const args = [
    ...["chip", "provision", "--socket", chip.socket, "--yes-lock-forever"],
    ...["--content", `${content}:8`, "--data", chip.folder],
  ];
  const steps = [/^Lock the configuration/, /key in slot 2/, /^Lock the data/, /slot 1 attest/];

  for (const step of steps) {
    const run = startMayfly(t, args);
    await run.line((line) => step.test(line), "stderr");
    chip.sim.kill("SIGKILL");
    const { code, stderr } = await run.ended;
    assert.equal(code, 1, stderr);
    await chip.sim.ended;
    await chip.restart();
  }
  const done = await mayfly(t, [...args, "--json"]);
  const again = await mayfly(t, [...args, "--json"]);

  assert.equal(done.code, 0, done.stderr);
  const { keys } = JSON.parse(done.stdout) as { keys: { slot: number; madeHere: boolean }[] };
  assert.deepEqual(
    keys.map(({ slot, madeHere }) => [slot, madeHere]),
    [0, 1, 2, 3].map((slot) => [slot, true]),
  );
  assert.equal(again.stdout, done.stdout);
  assert.equal((await chip.chip("config", "check")).code, 0);
});

test("a signer of a program that runs on takes a signature's true time, and outlives its chip's process", async (t) => {
  const chip = await bench(t, "--kind", "mayfly", "--real-time");
  const { keys, close } = await openLastingSigners({ kind: "socket", bus: chip.socket, address: 0x60 }, [0]);
  const signer = keys[0]?.signer;
  assert.ok(signer);
  t.after(close);
  const digest = new Uint8Array(32).fill(7);

  const startedAt = performance.now();
  const before = await signer.signDigest(digest);
  const millis = performance.now() - startedAt;
  chip.sim.kill("SIGKILL");
  await chip.sim.ended;
  await assert.rejects(signer.signDigest(digest), { code: "bus_closed" });
  await chip.restart();
  const after = await signer.signDigest(digest);

  assert.ok(millis >= 65, `${millis} ms`);
  assert.deepEqual([before.length, after.length], [64, 64]);
});

test("a chip and a clock chip share their one bus, and both find it again after its process was killed", async (t) => {
  const chip = await bench(t, "--kind", "mayfly", "--real-time", "--rtc");
  const place = { kind: "socket", bus: chip.socket } as const;
  const buses = new SharedBuses(place);
  const { keys, close } = await openLastingSigners({ ...place, address: 0x60 }, [0], buses);
  const clockChip = await buses.open(place);
  t.after(close);
  const digest = new Uint8Array(32).fill(7);

  const [signature, ack] = await Promise.all([
    keys[0]?.signer.signDigest(digest),
    clockChip.bus.write(0x68, Uint8Array.of(0)),
  ]);
  chip.sim.kill("SIGKILL");
  await chip.sim.ended;
  await assert.rejects(clockChip.bus.read(0x68, 1), { code: "bus_closed" });
  await chip.restart();
  await clockChip.close();
  const again = await buses.open(place);
  await assert.rejects(async () => keys[0]?.signer.signDigest(digest), { code: "bus_closed" });
  const signedAgain = await keys[0]?.signer.signDigest(digest);
  await again.close();
  const signedAlone = await keys[0]?.signer.signDigest(digest);

  assert.deepEqual([signature?.length, ack], [64, "ack"]);
  assert.deepEqual([signedAgain?.length, signedAlone?.length], [64, 64]);
});

test("a chip that is not there, and a chip that is not named, are told apart", async (t) => {
  const folder = await temporaryFolder(t);

  const absent = await mayfly(t, ["chip", "info", "--socket", join(folder, "none"), "--json"]);
  const unnamed = await mayfly(t, ["chip", "info"]);

  assert.deepEqual([absent.code, unnamed.code], [1, 2]);
  assert.equal((JSON.parse(absent.stderr) as { error: { code: string } }).error.code, "bus_failed");
  assert.match(unnamed.stderr, /no chip is named; give --i2c \/dev\/i2c-1 or --socket PATH/);
});

test("on TCP a simulator says which port it has, and traces what its host writes and reads", async (t) => {
  const sim = startMayfly(t, [
    "chip",
    "sim",
    "--socket",
    "127.0.0.1:0",
    "--kind",
    "mayfly",
    "--trace",
    "--json",
  ]);
  const ready = JSON.parse(await sim.line((line) => line.includes("ready"))) as { socket: string };

  const random = await mayfly(t, ["chip", "random", "--socket", ready.socket]);
  const wake = await sim.line((line) => line.includes("W@00"), "stderr");
  sim.kill("SIGTERM");

  assert.match(random.stdout, /^[0-9a-f]{64}\n$/);
  assert.match(wake, /W@00 01 NACK$/);
  assert.equal((await sim.ended).code, 0);
});

test("an agent has one key: in files or in a chip, not in both and not in neither", async (t) => {
  const cwd = await temporaryFolder(t);
  writeFileSync(
    join(cwd, "endpoints.json"),
    JSON.stringify({
      ...{ mqtts: "127.0.0.1:1", deviceHttps: "", admin: "https://127.0.0.1:1", ca: "ca", adminToken: "t" },
      ...{ project: "p", location: "l", registry: "reg", pid: 1 },
    }),
  );
  const agent = ["agent", "--endpoints", "endpoints.json", "--device", "dev-1"];

  const neither = await mayfly(t, agent, { cwd });
  const both = await mayfly(t, [...agent, "--key", "k", "--chip-socket", "s"], { cwd });

  assert.deepEqual([neither.code, both.code], [2, 2]);
  assert.match(neither.stderr, /no key is named; give --key FILE:SLOT or --chip-socket PATH/);
  assert.match(both.stderr, /--key and --chip-socket both name a key; give one/);
});

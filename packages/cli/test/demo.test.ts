/**
 * The demo, whole: server, devices and this reader, each a process.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createAdminClient } from "@mayfly/core/admin";
import { createHttpsFetch } from "../src/host/https-fetch.ts";
import { mayfly, startMayfly, temporaryFolder } from "./mayfly.ts";

interface DemoLine {
  readonly at: string;
  readonly devices: readonly {
    readonly id: string;
    readonly slot: number;
    readonly tokenRemainingSeconds: number;
    readonly renewals: number;
    readonly sent: number;
    readonly acked: number;
    readonly lost: number;
    readonly gapMs: number;
  }[];
}

test("a demo of 18 s shows a renewal, loses nothing and ends by itself; one beside it is interrupted and leaves nothing", async (t) => {
  const cwd = await temporaryFolder(t);
  const timed = startMayfly(t, ["demo", "--devices", "2", "--for", "18", "--json"], { cwd });
  await timed.line((line) => line.startsWith("ready"), "stderr");
  const beside = startMayfly(t, ["demo", "--devices", "1"], { cwd });

  await t.test(
    "the one beside it takes a folder and ports of its own, and SIGTERM ends it with all its processes",
    async () => {
      await beside.line((line) => line.startsWith("ready"));
      const folder = join(cwd, "mayfly-data", "demo-2");
      const { pid, registry } = JSON.parse(readFileSync(join(folder, "endpoints.json"), "utf8")) as {
        pid: number;
        registry: string;
      };

      beside.kill("SIGTERM");
      const { code, stdout } = await beside.ended;

      assert.equal(code, 0);
      assert.equal(registry, "demo");
      assert.match(stdout, /ended after .*, 0 lost\n$/);
      assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
      assert.equal(existsSync(join(folder, "endpoints.json")), false);
      assert.equal(existsSync(join(folder, "demo.pid")), false);
    },
  );

  await t.test("each line has each device with numbers for everything", async () => {
    const { code, stdout, stderr } = await timed.ended;

    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as DemoLine);
    const last = lines.at(-1);
    assert.equal(code, 0, stderr);
    assert.ok(lines.length >= 17, `${lines.length} lines`);
    assert.deepEqual(Object.keys(last?.devices[0] ?? {}), [
      ...["id", "slot", "tokenRemainingSeconds", "renewals", "sent", "acked", "lost", "gapMs"],
    ]);
    assert.ok(lines.every(({ devices }) => devices.length === 2 && devices.every(({ lost }) => lost === 0)));
    assert.ok((last?.devices[0]?.renewals ?? 0) >= 1, "sensor-1 renews after 15 s");
    assert.equal(last?.devices[0]?.gapMs, 0, "within its connection");
    assert.ok((last?.devices[1]?.acked ?? 0) >= 15);
  });
});

test("a demo whose server is killed says so and exits 1", async (t) => {
  const cwd = await temporaryFolder(t);
  const demo = startMayfly(t, ["demo", "--devices", "1", "--data", "here"], { cwd });
  await demo.line((line) => line.startsWith("ready"));
  const { pid } = JSON.parse(readFileSync(join(cwd, "here", "endpoints.json"), "utf8")) as { pid: number };

  process.kill(pid, "SIGKILL");
  const { code, stderr } = await demo.ended;

  assert.equal(code, 1);
  assert.match(stderr, /^mayfly: the server has ended/m);
});

test("a demo's devices sign with chips: keys of slots 0, 2 and 3, images kept for the next demo, sockets taken away", async (t) => {
  const cwd = await temporaryFolder(t);
  const run = async (): Promise<readonly ListedKey[]> => {
    const demo = startMayfly(t, ["demo", "--devices", "1", "--data", "here"], { cwd });
    await demo.line((line) => line.startsWith("ready"));
    const listed = await mayfly(t, ["device", "keys", "list", "sensor-1", "--data", "here", "--json"], {
      cwd,
    });
    demo.kill("SIGTERM");
    assert.equal((await demo.ended).code, 0);
    return (JSON.parse(listed.stdout) as { keys: ListedKey[] }).keys;
  };

  const first = await run();
  const second = await run();

  assert.deepEqual(
    first.map(({ slot, state }) => [slot, state]),
    [
      [0, "active"],
      [2, "pending"],
      [3, "pending"],
    ],
  );
  assert.deepEqual(
    second.map(({ keyId }) => keyId),
    first.map(({ keyId }) => keyId),
  );
  const device = join(cwd, "here", "devices", "sensor-1");
  assert.deepEqual(readdirSync(device), ["chip.img"]);
});

interface ListedKey {
  readonly keyId: string;
  readonly slot: number;
  readonly state: string;
}

// The chip's process is found in /proc.
const elsewhere = process.platform === "linux" ? false : "needs Linux";
test("a demo whose chip is killed says so and exits 1", { skip: elsewhere }, async (t) => {
  const cwd = await temporaryFolder(t);
  const demo = startMayfly(t, ["demo", "--devices", "1", "--data", "here"], { cwd });
  await demo.line((line) => line.startsWith("ready"));

  process.kill(chipPid(join(cwd, "here", "devices", "sensor-1", "chip.sock")), "SIGKILL");
  const { code, stderr } = await demo.ended;

  assert.equal(code, 1);
  assert.match(stderr, /^mayfly: the chip of sensor-1 has ended/m);
});

/** The process that was started with this socket's path. */
function chipPid(socket: string): number {
  const found = readdirSync("/proc").find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const args = readFileSync(join("/proc", pid, "cmdline"), "utf8").split("\0");
      return args.includes("sim") && args.includes(socket);
    } catch {
      // It ended while we looked.
      return false;
    }
  });
  assert.ok(found !== undefined, "no such chip runs");
  return Number(found);
}

test("messages another reader takes away are lost to the demo, which says so and exits 1", async (t) => {
  const cwd = await temporaryFolder(t);
  const demo = startMayfly(t, ["demo", "--devices", "2", "--for", "5", "--json"], { cwd });
  await demo.line((line) => line.startsWith("ready"), "stderr");
  const endpoints = JSON.parse(readFileSync(join(cwd, "mayfly-data", "demo", "endpoints.json"), "utf8")) as {
    project: string;
    admin: string;
    ca: string;
    adminToken: string;
  };
  const transport = createHttpsFetch(readFileSync(endpoints.ca, "utf8"));
  t.after(() => transport.close());
  const client = createAdminClient({
    baseUrl: endpoints.admin,
    token: readFileSync(endpoints.adminToken, "utf8").trim(),
    fetch: transport.fetch,
  });
  const [subscription] = await client.listSubscriptions(endpoints.project);
  const at = { project: endpoints.project, subscription: subscription?.name.split("/").at(-1) ?? "" };

  let taken = 0;
  while (taken === 0) {
    const messages = await client.pull(at, { maxMessages: 100, waitSeconds: 5 });
    if (messages.length > 0)
      await client.acknowledge(
        at,
        messages.map(({ ackId }) => ackId),
      );
    taken += messages.length;
  }
  const { code, stderr } = await demo.ended;

  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`"message":"${taken} acknowledged messages were not delivered"`));
});

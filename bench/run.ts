/**
 * `npm run bench`: our bridge beside its peers, on this machine, in one run.
 *
 * Every server is its own process and meets the same generator (`generator.ts`, a second process) in turn, round
 * after round, so that a machine that slows down slows all of them. The figure that counts is CPU per operation:
 * user + system time of the server's process, all threads, from /proc, between the generator's two marks. Wall
 * rates stand beside it; on loopback, with the client on the same cores, they are not a capacity.
 *
 *   npm run bench [-- --rounds 5] [--only connect,window16,window1,paced,memory] [--seconds 3] [--json]
 *   npm run bench -- --only paced --paced-seconds 60 --servers "Mayfly,same sink"     (tails want long runs)
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { parseArgs } from "node:util";
import { type AdminFetch, createAdminClient } from "@mayfly/core/admin";
import type { Job, JobResult, Target } from "./generator.ts";
import { judgeGoals, printReport, type Sample } from "./report.ts";
import { type BenchDevice, benchIdentity } from "./servers/common.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    "paced-seconds": { type: "string", default: "10" },
    connects: { type: "string", default: "600" },
    only: { type: "string", default: "connect,window16,window1,paced,memory" },
    servers: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const wanted = new Set(flags.only.split(","));
const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"]).toString());
const deviceCount = 1_000;

interface Running {
  readonly name: string;
  readonly process: ChildProcess;
  readonly target: Target;
}

const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
process.env["BENCH_FOLDER"] = folder;
const running: Running[] = [];
let generator: ChildProcess | undefined;
try {
  await main();
} finally {
  generator?.kill();
  for (const server of running) server.process.kill("SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 200));
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  await benchIdentity();
  const devices = makeDevices();
  writeFileSync(join(folder, "devices.json"), JSON.stringify(devices), { mode: 0o600 });

  const mayfly = await startMayfly(devices);
  const bare = await startBench("bare Node, from memory", "servers/bare.ts", []);
  const bareDurable = await startBench("bare Node, same sink", "servers/bare.ts", [
    "--sink",
    join(folder, "bare-sink"),
  ]);
  const aedes = await startBench("Aedes + jose, from memory", "servers/aedes.ts", []);
  const mosquitto = await startMosquitto(devices);

  generator = spawn(process.execPath, [join(import.meta.dirname, "generator.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: generator.stdout ?? process.stdin });

  const everyone = [mayfly, bare, bareDurable, aedes, ...(mosquitto === undefined ? [] : [mosquitto])];
  const samples: Sample[] = [];
  const isWanted = ({ name }: Running) => flags.servers.split(",").some((part) => name.includes(part));
  const measure = async (server: Running, what: string, job: Job) => {
    if (!isWanted(server)) return;
    const sample = await runJob(server, what, job, lines);
    samples.push(sample);
    if (!flags.json)
      process.stderr.write(
        `  ${what} · ${server.name}: ${sample.cpuMicros.toFixed(1)} us, ${Math.round(sample.perSecond)}/s${sample.failed > 0 ? `, ${sample.failed} FAILED` : ""}\n`,
      );
  };

  const memory: Sample[] = [];
  if (wanted.has("memory")) {
    // Before all load: a heap that has been through rounds of it shrinks while we look.
    for (const server of [mayfly, bare, aedes, ...(mosquitto === undefined ? [] : [mosquitto])]) {
      if (isWanted(server)) memory.push(await measureMemory(server, lines));
    }
  }
  for (let round = 0; round <= rounds; round += 1) {
    // Round 0 warms every server up and is thrown away.
    if (!flags.json) process.stderr.write(round === 0 ? "warm-up\n" : `round ${round} of ${rounds}\n`);
    const short = round === 0;
    if (wanted.has("connect")) {
      const count = short ? 200 : Number(flags.connects);
      for (const server of [mayfly, bare, aedes]) {
        await measure(server, "connect", { kind: "connect", target: server.target, count, inFlight: 32 });
      }
    }
    for (const window of [16, 1]) {
      if (!wanted.has(`window${window}`)) continue;
      for (const server of everyone) {
        await measure(server, `window${window}`, {
          kind: "publish",
          target: server.target,
          connections: 100,
          window,
          seconds: short ? 1 : seconds,
          payloadBytes: 200,
        });
      }
    }
    if (wanted.has("paced")) {
      for (const server of everyone) {
        await measure(server, "paced", {
          kind: "paced",
          target: server.target,
          connections: 100,
          perSecond: 2000,
          seconds: short ? 1 : Number(flags["paced-seconds"]),
          payloadBytes: 200,
        });
      }
    }
    if (round === 0) samples.length = 0;
  }

  samples.push(...memory);
  const facts = {
    machine: `${availableParallelism()} cores, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
    rounds,
    certificate:
      new X509Certificate(readFileSync(join(folder, "identity", "server.pem"))).publicKey.asymmetricKeyDetails
        ?.namedCurve ?? "",
  };
  if (flags.json) process.stdout.write(`${JSON.stringify({ facts, goals: judgeGoals(samples), samples })}\n`);
  else printReport(samples, facts);
}

function makeDevices(): BenchDevice[] {
  return Array.from({ length: deviceCount }, (_, index) => {
    const id = `bench-${String(index).padStart(4, "0")}`;
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      id,
      clientIdentifier: `projects/bench/locations/us-central1/registries/bench/devices/${id}`,
      publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
      keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  });
}

/** The product as a customer starts it: `mayfly serve`, filled through its admin API. */
async function startMayfly(devices: readonly BenchDevice[]): Promise<Running> {
  const data = join(folder, "mayfly");
  const main = join(import.meta.dirname, "..", "packages", "cli", "src", "main.ts");
  const child = spawn(
    process.execPath,
    [main, "serve", "--data", data, "--ports", "auto", "--project", "bench", "--log-level", "error"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const endpointsFile = join(data, "endpoints.json");
  await until(() => existsSync(endpointsFile), child);
  const endpoints = JSON.parse(readFileSync(endpointsFile, "utf8")) as {
    mqtts: string;
    admin: string;
    ca: string;
    adminToken: string;
  };
  const admin = createAdminClient({
    baseUrl: endpoints.admin,
    token: readFileSync(endpoints.adminToken, "utf8").trim(),
    fetch: fetchWithCa(readFileSync(endpoints.ca, "utf8")),
  });
  const at = { project: "bench", location: "us-central1" };
  // The tokens of the run carry no `sub` and are spread over ten minutes of `iat`: the strict preset takes both.
  await admin.createRegistry(at, { id: "bench", policy: { preset: "strict" } });
  for (const device of devices) {
    await admin.createDevice(
      { ...at, registry: "bench" },
      { id: device.id, credentials: [{ publicKey: { format: "ES256_PEM", key: device.publicPem } }] },
    );
  }
  const port = Number(endpoints.mqtts.slice(endpoints.mqtts.lastIndexOf(":") + 1));
  const server = {
    name: "Mayfly, durable",
    process: child,
    target: { port, caFile: endpoints.ca, project: "bench", devices },
  };
  running.push(server);
  return server;
}

async function startBench(name: string, file: string, args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const { ready } = JSON.parse(line) as { ready: Target };
    const server = { name, process: child, target: ready };
    running.push(server);
    return server;
  }
  throw new Error(`${name} ended before it was ready`);
}

/** Mosquitto from its package, when there is one: anonymous, from memory, `set_tcp_nodelay true`, as its documentation advises for latency. */
async function startMosquitto(devices: readonly BenchDevice[]): Promise<Running | undefined> {
  const program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].find((path) => existsSync(path));
  if (program === undefined) {
    process.stderr.write("mosquitto is not installed: its rows are missing from this run\n");
    return undefined;
  }
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  const identity = join(folder, "identity");
  writeFileSync(
    config,
    [
      `listener ${port} 127.0.0.1`,
      `cafile ${join(folder, "ca.pem")}`,
      `certfile ${join(identity, "server.pem")}`,
      `keyfile ${join(identity, "server.key.pem")}`,
      "user root",
      "allow_anonymous true",
      "set_tcp_nodelay true",
      "persistence false",
      "log_type error",
      "max_inflight_messages 0",
      "max_queued_messages 0",
    ].join("\n"),
  );
  const child = spawn(program, ["-c", config], { stdio: ["ignore", "ignore", "inherit"] });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const server = {
    name: "Mosquitto, from memory",
    process: child,
    target: { port, caFile: join(folder, "ca.pem"), project: "bench", devices },
  };
  running.push(server);
  return server;
}

async function runJob(server: Running, what: string, job: Job, lines: Interface): Promise<Sample> {
  const pid = server.process.pid ?? 0;
  let before = cpuSeconds(pid);
  let after: number | undefined;
  generator?.stdin?.write(`${JSON.stringify(job)}\n`);
  const result = await new Promise<JobResult>((resolve) => {
    const onLine = (line: string) => {
      const told = JSON.parse(line) as { mark?: string; result?: JobResult };
      if (told.mark === "start") before = cpuSeconds(pid);
      if (told.mark === "end") after = cpuSeconds(pid);
      if (told.result !== undefined) {
        lines.off("line", onLine);
        resolve(told.result);
      }
    };
    lines.on("line", onLine);
  });
  const cpu = (after ?? cpuSeconds(pid)) - before;
  return {
    server: server.name,
    what,
    cpuMicros: (cpu / Math.max(result.operations, 1)) * 1e6,
    perSecond: result.operations / result.seconds,
    failed: result.failed,
    ...(result.p50Millis === undefined ? {} : { p50Millis: result.p50Millis }),
    ...(result.p99Millis === undefined ? {} : { p99Millis: result.p99Millis }),
  };
}

/** Resident bytes a held, idle TLS connection adds: 1,000 of them, five seconds after the last came. */
async function measureMemory(server: Running, lines: Interface): Promise<Sample> {
  const pid = server.process.pid ?? 0;
  const connections = deviceCount;
  await runJob(
    server,
    "warm-up",
    { kind: "connect", target: server.target, count: 300, inFlight: 16 },
    lines,
  );
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const before = residentBytes(pid);
  await runJob(server, "memory", { kind: "hold", target: server.target, connections }, lines);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const held = residentBytes(pid);
  await runJob(server, "memory", { kind: "release" }, lines);
  return {
    server: server.name,
    what: "memory",
    cpuMicros: 0,
    perSecond: 0,
    failed: 0,
    bytesEach: (held - before) / connections,
  };
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? 0) * 1024;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (condition()) return;
    if (child.exitCode !== null)
      throw new Error(`the server ended with ${child.exitCode} before it was ready`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server was not ready within 15 s");
}

function fetchWithCa(ca: string): AdminFetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const outgoing = request(url, { method: init.method, headers: init.headers, ca }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text: async () => Buffer.concat(chunks).toString(),
            body: null,
          }),
        );
      });
      outgoing.on("error", reject);
      outgoing.end(init.body);
    });
}

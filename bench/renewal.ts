/**
 * `npm run bench:renewal`: what a session's next token costs the bridge, in each of the ways there are.
 *
 * Re-authentication inside the session (MQTT 5), handover to a new connection (3.1.1, Session kept) and reconnecting,
 * each with the TLS handshake it needs, round after round on the same running bridge. The figures that count are CPU
 * per renewal (user + system, all threads of `mayfly serve`, from the scheduler) and the bytes of a renewal on TCP,
 * both ways. Tokens are signed, packets written and keys known to the bridge before a span begins.
 *
 *   npm run bench:renewal [-- --rounds 5] [--sessions 1000] [--connects 300] [--json]
 */
import { createPublicKey, verify } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BridgeProcess } from "../test/process/bridge-process.ts";
import { Fleet, type FleetDevice, manyAtOnce, signToken } from "../test/process/fleet.ts";
import { authPacket, connectPacket } from "../test/process/raw-mqtt.ts";
import { RenewalClient, type TlsVersion } from "./renewal-client.ts";
import { printRenewals, type RenewalSample, type RenewalWay } from "./renewal-report.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    sessions: { type: "string", default: "1000" },
    connects: { type: "string", default: "300" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
/** Renewals under way: a fleet's come spread over minutes, never all at once. */
const renewalsAtOnce = 16;
/** A session's next token is verified at most this often. */
const reauthenticationMillisMin = 5_000;
const method = "mayfly-jwt";

/** Devices that renew in one way and TLS version, each with its session. */
interface Group {
  readonly way: RenewalWay;
  readonly tls: TlsVersion;
  readonly members: readonly { readonly device: FleetDevice; readonly client: RenewalClient }[];
  renewedMillis: number;
}

const bridge = new BridgeProcess();
let fleet: Fleet | undefined;
const groups: Group[] = [];
try {
  await bridge.start([], ["--log-level", "error"]);
  await bridge.createRegistry();
  fleet = new Fleet(bridge);
  await openGroups(fleet);
  const samples = await measureRounds();
  const machine = `${availableParallelism()} cores, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`;
  if (flags.json) process.stdout.write(`${JSON.stringify({ machine, rounds, samples })}\n`);
  else printRenewals(samples, { machine, rounds });
} finally {
  for (const { members } of groups) for (const { client } of members) client.close();
  fleet?.close();
  await bridge.end();
}

async function openGroups(fleet: Fleet): Promise<void> {
  const sizes = {
    reauthentication: Number(flags.sessions),
    handover: Number(flags.connects),
    reconnect: Number(flags.connects),
  };
  const ways = Object.keys(sizes) as RenewalWay[];
  const devices = [...(await fleet.register(2 * ways.reduce((sum, way) => sum + sizes[way], 0)))];
  const endpoint = { port: bridge.port, ca: readFileSync(bridge.endpoints.ca, "utf8") };
  for (const way of ways) {
    for (const tls of ["TLSv1.3", "TLSv1.2"] as const) {
      const members = devices
        .splice(0, sizes[way])
        .map((device) => ({ device, client: new RenewalClient(endpoint, tls) }));
      await manyAtOnce(members, renewalsAtOnce, ({ device, client }) => client.open(connectOf(way, device)));
      groups.push({ way, tls, members, renewedMillis: 0 });
    }
  }
}

/** Round 0 warms the bridge up, and gives the clients TLS sessions to resume; it is thrown away. */
async function measureRounds(): Promise<readonly RenewalSample[]> {
  const samples: RenewalSample[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    process.stderr.write(round === 0 ? "warm-up\n" : `round ${round} of ${rounds}\n`);
    if (round === 1) samples.length = 0;
    for (const group of groups) {
      if (group.way === "reauthentication") {
        samples.push(await measurePings(group), await measure(group, "none"));
      } else {
        samples.push(await measure(group, "full"), await measure(group, "resumed"));
      }
    }
    samples.push(measureVerification());
  }
  return samples;
}

async function measure(group: Group, handshake: RenewalSample["handshake"]): Promise<RenewalSample> {
  const { way, members } = group;
  const packets = members.map(({ device }) =>
    way === "reauthentication" ? authPacket(method, tokenOf(device)) : connectOf(way, device),
  );
  const isResumed = handshake === "resumed";
  await delay(Math.max(0, group.renewedMillis + reauthenticationMillisMin - performance.now()));
  const sample = await measureSpan(group, (client, index) => {
    const packet = packets[index] ?? Buffer.alloc(0);
    if (way === "reauthentication") return client.reauthenticate(packet);
    if (way === "handover") return client.handOver(packet, { isResumed });
    return client.reconnect(packet, { isResumed });
  });
  group.renewedMillis = performance.now();
  return { ...sample, way, handshake };
}

/** What any packet and its answer cost in the same sessions: what no renewal inside a session can cost less than. */
async function measurePings(group: Group): Promise<RenewalSample> {
  return { ...(await measureSpan(group, (client) => client.ping())), way: "pingreq", handshake: "none" };
}

/** The same work with every member. */
async function measureSpan(
  { members, tls }: Group,
  work: (client: RenewalClient, index: number) => Promise<void>,
): Promise<Pick<RenewalSample, "tls" | "cpuMicros" | "bytes">> {
  const bytesOf = () => members.reduce((sum, { client }) => sum + client.bytes, 0);
  const { pid } = bridge.endpoints;
  const [bytesBefore, cpuBefore] = [bytesOf(), cpuNanos(pid)];
  await manyAtOnce(members, renewalsAtOnce, ({ client }, index) => work(client, index));
  const cpu = cpuNanos(pid) - cpuBefore;
  return { tls, cpuMicros: cpu / members.length / 1_000, bytes: (bytesOf() - bytesBefore) / members.length };
}

/** The one thing no verifier can do without, by `node:crypto` in this process: many keys, each token once. */
function measureVerification(): RenewalSample {
  const signed = groups.flatMap(({ members }) =>
    members.map(({ device }) => {
      const [header = "", claims = "", signature = ""] = tokenOf(device).split(".");
      return {
        key: createPublicKey(device.privateKey),
        input: Buffer.from(`${header}.${claims}`),
        signature: Buffer.from(signature, "base64url"),
      };
    }),
  );
  const before = process.cpuUsage();
  for (const { key, input, signature } of signed) {
    if (!verify("sha256", input, { key, dsaEncoding: "ieee-p1363" }, signature))
      throw new Error("a bad signature");
  }
  const { user, system } = process.cpuUsage(before);
  return {
    way: "verification",
    tls: undefined,
    handshake: "none",
    cpuMicros: (user + system) / signed.length,
    bytes: 0,
  };
}

/** A token that has lived most of its life: then the next one comes as planned, and is no takeover by somebody. */
function tokenOf(device: FleetDevice): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(device, { iat: now - 3_000, exp: now + 600 });
}

function connectOf(way: RenewalWay, device: FleetDevice): Buffer {
  const { clientIdentifier } = device;
  const token = tokenOf(device);
  switch (way) {
    case "reauthentication":
      return connectPacket({ version: 5, clientIdentifier, token, method });
    case "handover":
      return connectPacket({
        version: 4,
        clientIdentifier,
        token,
        userName: "mayfly/1 handover",
        clean: false,
      });
    case "reconnect":
      return connectPacket({ version: 4, clientIdentifier, token, userName: "mayfly/1" });
  }
}

/** Time on a CPU of all threads of a process, by the scheduler's own count (proc(5), schedstat). */
function cpuNanos(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanos;
}

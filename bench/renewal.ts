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
    for (const group of groups) {
      const handshakes =
        group.way === "reauthentication" ? (["none"] as const) : (["full", "resumed"] as const);
      for (const handshake of handshakes) {
        const sample = await measure(group, handshake);
        if (round > 0) samples.push(sample);
      }
    }
  }
  return samples;
}

async function measure(group: Group, handshake: RenewalSample["handshake"]): Promise<RenewalSample> {
  const { way, tls, members } = group;
  const packets = members.map(({ device }) =>
    way === "reauthentication" ? authPacket(method, tokenOf(device)) : connectOf(way, device),
  );
  await delay(Math.max(0, group.renewedMillis + reauthenticationMillisMin - performance.now()));
  const isResumed = handshake === "resumed";
  const bytesBefore = members.reduce((sum, { client }) => sum + client.bytes, 0);

  const cpuBefore = cpuNanos(bridge.endpoints.pid);
  await manyAtOnce(members, renewalsAtOnce, ({ client }, index) => {
    const packet = packets[index] ?? Buffer.alloc(0);
    if (way === "reauthentication") return client.reauthenticate(packet);
    return way === "handover"
      ? client.handOver(packet, { isResumed })
      : client.reconnect(packet, { isResumed });
  });
  const cpu = cpuNanos(bridge.endpoints.pid) - cpuBefore;

  group.renewedMillis = performance.now();
  const bytes = members.reduce((sum, { client }) => sum + client.bytes, 0) - bytesBefore;
  const sample = {
    way,
    tls,
    handshake,
    cpuMicros: cpu / members.length / 1_000,
    bytes: bytes / members.length,
  };
  process.stderr.write(
    `  ${way} ${tls} ${handshake}: ${sample.cpuMicros.toFixed(0)} us, ${bytes / members.length} B\n`,
  );
  return sample;
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

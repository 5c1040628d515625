/**
 * How `mayfly agent` knows the time: this machine's clock, or a clock the agent keeps by itself, from the sources named.
 *
 * Left to others: opening what is named (`host/agent-time.ts`).
 */
import type { DatagramPeer } from "@mayfly/device";
import { type Command, InvalidArgumentError } from "commander";
import { CommandFailure } from "./failure.ts";
import { instantSeconds } from "./flags.ts";
import type { Endpoints } from "./host/endpoints.ts";

const NTP_PORT = 123;
const NTP_SERVERS_MAX = 4;

export interface AgentTimeFlags {
  readonly ntp?: readonly DatagramPeer[];
  readonly timePin?: string;
  readonly rtcSocket?: string;
  readonly timeFloor?: number;
}

/** What to keep the time from. */
export interface AgentTimeOrder {
  readonly ntp?: readonly DatagramPeer[];
  readonly signed?: {
    readonly server: DatagramPeer;
    /** Asked where UDP brings nothing. */
    readonly https?: DatagramPeer;
    readonly pinFile: string;
  };
  readonly rtc?: { readonly bus: "i2c" | "socket"; readonly path: string };
  readonly agingDiscipline?: "on" | "off";
  readonly floorSeconds?: number;
}

export function withAgentTime(command: Command): Command {
  return command
    .option(
      "--ntp <HOST[:PORT]>",
      "keep the time by SNTP instead of this machine's clock; up to 4, and 3 must agree",
      addNtpServer,
    )
    .option("--time-pin <FILE>", "keep the time by the server's signature; roots to believe, 1 or 2, in PEM")
    .option("--rtc-socket <PATH|HOST:PORT>", "keep the time by a DS3231 behind a socket")
    .option(
      "--time-floor <INSTANT>",
      "no earlier time is believed; unsigned, none a day later",
      instantSeconds,
    );
}

/** @returns undefined where no source is named. @throws {CommandFailure} usage, not_configured. */
export function agentTimeOrderOf(flags: AgentTimeFlags, endpoints: Endpoints): AgentTimeOrder | undefined {
  const { ntp, timePin, rtcSocket, timeFloor } = flags;
  if (ntp === undefined && timePin === undefined && rtcSocket === undefined) {
    if (timeFloor === undefined) return undefined;
    throw new CommandFailure("usage", "no source of time is named; give --ntp, --time-pin or --rtc-socket");
  }
  return {
    ...(ntp === undefined ? {} : { ntp }),
    ...(timePin === undefined ? {} : { signed: signedOf(timePin, endpoints) }),
    ...(rtcSocket === undefined ? {} : { rtc: { bus: "socket", path: rtcSocket } }),
    ...(timeFloor === undefined ? {} : { floorSeconds: timeFloor }),
  };
}

function signedOf(pinFile: string, { time, deviceHttps }: Endpoints): NonNullable<AgentTimeOrder["signed"]> {
  if (time === undefined) {
    throw new CommandFailure("not_configured", "the server's endpoints name no service of signed time");
  }
  const https = new URL(deviceHttps.includes("://") ? deviceHttps : `https://${deviceHttps}`);
  return {
    server: peerOf(time, 0),
    https: { host: bare(https.hostname), port: Number(https.port || 443) },
    pinFile,
  };
}

function addNtpServer(text: string, before: readonly DatagramPeer[] = []): readonly DatagramPeer[] {
  if (before.length === NTP_SERVERS_MAX)
    throw new InvalidArgumentError(`At most ${NTP_SERVERS_MAX} servers are asked.`);
  return [...before, peerOf(text, NTP_PORT)];
}

/** `host`, `host:port`, `[v6]:port`. */
function peerOf(text: string, portDefault: number): DatagramPeer {
  const url = URL.parse(`ntp://${text}`);
  const host = bare(url?.hostname ?? "");
  if (url === null || host === "" || url.host !== text.toLowerCase())
    throw new InvalidArgumentError("It must be a host, or host:port; an IPv6 address in brackets.");
  return { host, port: url.port === "" ? portDefault : Number(url.port) };
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

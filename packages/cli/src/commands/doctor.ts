/**
 * `mayfly doctor`: what is wrong with this machine, this data folder and this server, and what to do.
 */
import { AdminApiError } from "@mayfly/core/admin";
import type { Command } from "commander";
import { type ConnectionFlags, findServer, type Server } from "../connection.ts";
import {
  type Check,
  judgeBackupRoot,
  judgeCertificate,
  judgeClock,
  judgeDisk,
  judgeFolder,
  judgeHealth,
  judgeNode,
  judgeProcess,
  judgeSignedTime,
  judgeSqlite,
  judgeTimeDelegation,
} from "../doctor-checks.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf, withConnection } from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import {
  DATA_FOLDER_DEFAULT,
  endpointsFile,
  findEndpoints,
  findEndpointsFolder,
  isProcessAlive,
  readEndpointsFile,
} from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import {
  examineFolder,
  examineHttps,
  examineTls,
  findCarryAway,
  freeBytes,
  nodeVersion,
  sqliteVersion,
} from "../host/examine.ts";
import { describeConnectionFailure } from "../host/https-fetch.ts";
import { askSignedTime } from "../host/signed-time.ts";
import { findTimeKey, timeKeyFileOf } from "../host/time-key.ts";

export function addDoctorCommand(program: Command): void {
  program.addCommand(
    withConnection(
      newCommand("doctor", "check this machine, the data folder and the server, and say what to do"),
    ).action(doctor),
  );
}

async function doctor(flags: ConnectionFlags & { readonly json?: true }): Promise<void> {
  const checks: Check[] = [judgeNode(nodeVersion()), judgeSqlite(sqliteVersion())];
  const named = flags.data ?? environmentSettings().data;
  const isElsewhere = (flags.url ?? environmentSettings().url) !== undefined;
  const folder = named ?? (await findEndpointsFolder()) ?? DATA_FOLDER_DEFAULT;
  // A server elsewhere is checked by its URL; without --data this machine then has no folder to look at.
  if (!isElsewhere || named !== undefined) checks.push(...(await checkFolder(folder)));

  let server: Server | undefined;
  try {
    server = await findServer(flags);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    // That no server has been started here is said already.
    if (isElsewhere || (await findEndpoints(folder)) !== undefined) {
      checks.push({
        name: "connection",
        status: "fail",
        message: error.message,
        advice: "see mayfly doctor --help",
      });
    }
  }
  if (server !== undefined) {
    checks.push(...(await checkServer(server, folder)));
    server.transport.close();
  }

  outputOf(flags).result({ checks }, () => checks.map(formatCheck).join("\n"));
  const failed = checks.filter(({ status }) => status === "fail").length;
  if (failed > 0) throw new CommandFailure("check_failed", `${failed} of ${checks.length} checks failed`);
}

async function checkFolder(folder: string): Promise<readonly Check[]> {
  const facts = await examineFolder(folder);
  const checks = [judgeFolder(facts), judgeDisk(await freeBytes(folder))];
  if (!facts.exists) return checks;
  checks.push(judgeBackupRoot(findCarryAway(folder)));
  const endpoints = await readEndpointsFile(endpointsFile(folder));
  return [...checks, judgeProcess(endpoints?.pid, endpoints !== undefined && isProcessAlive(endpoints.pid))];
}

async function checkServer(server: Server, folder: string): Promise<readonly Check[]> {
  const { endpoints, baseUrl, ca } = server;
  const isOwn = endpoints !== undefined && new URL(endpoints.admin).origin === baseUrl;
  const checks = await checkHttps("admin", `${baseUrl}/healthz`, ca);
  if (isOwn) {
    checks.push(...(await checkTls("device https", new URL(endpoints.deviceHttps), ca)));
    checks.push(...(await checkTls("mqtts", new URL(`https://${endpoints.mqtts}`), ca)));
    checks.push(...(await checkSignedTime(endpoints.deviceHttps, folder, ca)));
  }
  checks.push(await checkAdminToken(server));
  return checks;
}

async function checkHttps(name: string, url: string, ca: string | undefined): Promise<Check[]> {
  const checks = await checkTls(name, new URL(url), ca);
  try {
    const askedAt = wallSeconds();
    const { status, dateMillis, body } = await examineHttps(url, ca);
    checks.push(judgeHealth(url, status, body));
    // The header has whole seconds, cut off: half a second is the least error.
    if (!Number.isNaN(dateMillis))
      checks.push(judgeClock(dateMillis / 1000 + 0.5 - (askedAt + wallSeconds()) / 2));
  } catch (error) {
    checks.push(unreachable("health", url, error));
  }
  return checks;
}

async function checkTls(name: string, url: URL, ca: string | undefined): Promise<Check[]> {
  try {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const until = await examineTls({ host, port: Number(url.port || 443) }, ca);
    return [
      { name, status: "ok", message: `${url.host} answers, and its certificate is trusted` },
      judgeCertificate(name, until / 1000 - wallSeconds()),
    ];
  } catch (error) {
    return [unreachable(name, url.href, error)];
  }
}

/** Asked only where a key was put: a server without one was not meant to tell the time. */
async function checkSignedTime(
  deviceHttps: string,
  folder: string,
  ca: string | undefined,
): Promise<readonly Check[]> {
  try {
    const key = await findTimeKey(await timeKeyFileOf(folder));
    if (key === undefined) return [judgeTimeDelegation(undefined)];
    const delegation = judgeTimeDelegation(key.bounds.notAfterMillis / 1000 - wallSeconds());
    const told = await askSignedTime(deviceHttps, ca, key.root);
    if ("because" in told) return [delegation, judgeSignedTime(told)];
    const { now, uncertaintySeconds } = told;
    return [delegation, judgeSignedTime({ offsetSeconds: now - wallSeconds(), uncertaintySeconds })];
  } catch (error) {
    return [judgeSignedTime({ because: error instanceof Error ? error.message : "no answer" })];
  }
}

async function checkAdminToken({ client, endpoints }: Server): Promise<Check> {
  const name = "admin token";
  try {
    await client.listSubscriptions(endpoints?.project ?? "mayfly");
    return { name, status: "ok", message: "the server takes it" };
  } catch (error) {
    const isTaken =
      error instanceof AdminApiError &&
      error.status !== "UNAUTHENTICATED" &&
      error.status !== "PERMISSION_DENIED";
    if (isTaken) return { name, status: "ok", message: "the server takes it" };
    return {
      name,
      status: "fail",
      message: error instanceof Error ? error.message : "it could not be tried",
      advice: "`mayfly admin-token new` on the server's machine makes another",
    };
  }
}

function unreachable(name: string, url: string, error: unknown): Check {
  const failure = error instanceof Error ? describeConnectionFailure(url, error).message : "no answer";
  return {
    name,
    status: "fail",
    message: failure,
    advice: "see that the server runs and that its address and CA are right",
  };
}

function formatCheck({ name, status, message, advice }: Check): string {
  return `${status.padEnd(5)} ${name}: ${message}${advice === undefined ? "" : `\n      -> ${advice}`}`;
}

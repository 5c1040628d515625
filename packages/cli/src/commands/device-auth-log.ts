/**
 * `mayfly device auth-log`: who came in a device's name, by which key, and what came of it.
 */
import type { AuthenticationAttempt, AuthenticationEvidence, AuthenticationLog } from "@mayfly/core/admin";
import type { Command } from "commander";
import {
  describeClockBasis,
  describeEvidence,
  describeOutcome,
  describeRefusals,
} from "../authentication-words.ts";
import { findServer, registryOf } from "../connection.ts";
import {
  newCommand,
  outputOf,
  type RegistryCommandFlags,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { formatTable } from "../output.ts";

/** As many as the server keeps of a device. */
const RECORDS_MAX = 50;

export function addDeviceAuthLogCommand(device: Command): void {
  device.addCommand(
    withRegistry(
      withConnection(newCommand("auth-log", "show who came in a device's name, and what came of it")),
    )
      .argument("ID", "device id or numId")
      .option("--limit <N>", "records shown at most", wholeNumber(1, RECORDS_MAX), RECORDS_MAX)
      .action(show),
  );
}

async function show(id: string, flags: RegistryCommandFlags & { readonly limit: number }): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const log = await client.getAuthentications({ ...registryOf(flags, endpoints), device: id }, flags.limit);
  outputOf(flags).result(log, () => describeLog(id, log, wallSeconds()));
}

/** The table, newest first, and below it what it means. */
export function describeLog(id: string, log: AuthenticationLog, nowSeconds: number): string {
  if (log.records.length === 0) return `nobody has come as ${id} yet`;
  const table = formatTable(
    ["LAST", "TIMES", "WAY", "SIGNED BY", "CLOCK", "FROM", "OUTCOME"],
    log.records.map((record) => (record.kind === "attempt" ? attemptCells(record) : evidenceCells(record))),
  );
  const words = [
    ...describeRefusals(log, nowSeconds),
    ...(log.clock === undefined ? [] : [describeClockBasis(log.clock)]),
  ];
  return words.length === 0 ? table : [table, "", ...words].join("\n");
}

function attemptCells(record: AuthenticationAttempt): readonly string[] {
  const { authenticity, keyId = "", slot, offsetSeconds, tlsVersion, tlsResumed } = record;
  const signedBy = {
    authentic: `key ${keyId}${slot === undefined ? "" : `, slot ${slot}`}`,
    unauthenticated: "no key of it",
    unchecked: "not checked",
  };
  const tls = tlsVersion === undefined ? "" : `, ${tlsVersion}${tlsResumed === true ? " resumed" : ""}`;
  return [
    record.lastTime,
    String(record.attempts),
    `${record.bridge} ${record.purpose}`,
    signedBy[authenticity],
    offsetSeconds === undefined ? "-" : `${offsetSeconds > 0 ? "+" : ""}${Math.round(offsetSeconds)} s`,
    `${record.remoteAddress}${tls}`,
    describeOutcome(record.outcome),
  ];
}

function evidenceCells(record: AuthenticationEvidence): readonly string[] {
  return [
    ...[record.time, "-", "evidence", record.keyId === undefined ? "-" : `key ${record.keyId}`],
    ...["-", "-", describeEvidence(record)],
  ];
}

/**
 * A Session with its kept commands, as one read: one statement sees one moment of the file, so that the
 * commands are those of this Session and of no other.
 */
import type { KeptCommand, KeptSession, KeptSubscriptions } from "../../registry/session-store.ts";
import type { Row } from "./registry-rows.ts";

/** A row for each command, oldest first; one with no command where there is none. Ends in an open condition. */
export const SESSION_SELECT = `SELECT s.key_fingerprint, s.config_qos, s.commands_qos, s.expiry_seconds,
  c.packet_identifier, c.subfolder, c.payload, c.may_have_been_sent
FROM device d
JOIN session s ON s.device_pk = d.pk
LEFT JOIN session_command c ON c.device_pk = d.pk
WHERE (s.ends_ms IS NULL OR s.ends_ms > ?) AND d.registry_pk = ? AND`;
export const SESSION_ORDER = "ORDER BY c.sequence";

export function sessionOfRows(rows: readonly Row[]): KeptSession | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  return {
    keyFingerprint: String(first["key_fingerprint"]),
    subscriptions: subscriptionsOfRow(first),
    expirySeconds: Number(first["expiry_seconds"]),
    commands: first["packet_identifier"] === null ? [] : rows.map(commandOfRow),
  };
}

function subscriptionsOfRow(row: Row): KeptSubscriptions {
  const config = qosOf(row["config_qos"]);
  const commands = qosOf(row["commands_qos"]);
  return {
    ...(config === undefined ? {} : { config }),
    ...(commands === undefined ? {} : { commands }),
  };
}

function qosOf(value: unknown): 0 | 1 | undefined {
  return value === 0 || value === 1 ? value : undefined;
}

function commandOfRow(row: Row): KeptCommand {
  const payload = row["payload"];
  return {
    packetIdentifier: Number(row["packet_identifier"]),
    subfolder: String(row["subfolder"]),
    payload: payload instanceof Uint8Array ? payload : new Uint8Array(),
    mayHaveBeenSent: row["may_have_been_sent"] === 1,
  };
}

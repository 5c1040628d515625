/**
 * Carries out the commands about Sessions, inside the transaction that the registry's writer has open.
 *
 * A Session is a row that its device's row takes along when it goes, and its kept commands are rows that it
 * takes along. It has an owner while it is connected and an end while it is not, never both: an end that has
 * passed makes it a Session no longer, though its row waits for the next trim.
 */
import type { DeviceRef, KeyRecord } from "../../registry/model.ts";
import { keptCommandBytesMax, keptCommandsMax } from "../../registry/session-store.ts";
import { StoreError } from "../../registry/store.ts";
import { findFreePacketIdentifier, isKeyVerifying, packetIdentifierAfter } from "../session-rules.ts";
import type { AnswerOf, CommandOf } from "./registry-commands.ts";
import type { Statements } from "./statements.ts";

/** Sessions that one command removes, each with up to 1 MiB of commands, so that it never holds up a write. */
const TRIM_SESSIONS_MAX = 100;
/** Sessions that one command marks as left. */
const LEAVE_SESSIONS_MAX = 5_000;

export class SessionExecutor {
  readonly #statements: Statements;
  readonly #findDevicePk: (ref: DeviceRef) => number | undefined;

  constructor(statements: Statements, findDevicePk: (ref: DeviceRef) => number | undefined) {
    this.#statements = statements;
    this.#findDevicePk = findDevicePk;
  }

  save({ ref, session, nowMs }: CommandOf<"saveSession">): undefined {
    const pk = this.#findDevicePk(ref);
    if (pk === undefined) throw new StoreError("not_found", `there is no device ${ref.device}`);
    if (!this.#isKeyVerifying(pk, session.keyFingerprint, nowMs)) {
      throw new StoreError("not_found", `device ${ref.device} has no such key that may verify`);
    }
    if (session.isNew || !this.#isLiving(pk, nowMs)) {
      this.#statements.run("DELETE FROM session_command WHERE device_pk = ?", pk);
    } else {
      this.#statements.run("UPDATE session_command SET may_have_been_sent = 1 WHERE device_pk = ?", pk);
    }
    this.#statements.run(
      `INSERT INTO session (device_pk, owner, key_fingerprint, config_qos, commands_qos, expiry_seconds,
         next_packet_identifier) VALUES (?, ?, ?, ?, ?, ?, 1)
       ON CONFLICT (device_pk) DO UPDATE SET owner = excluded.owner, ends_ms = NULL,
         key_fingerprint = excluded.key_fingerprint, config_qos = excluded.config_qos,
         commands_qos = excluded.commands_qos, expiry_seconds = excluded.expiry_seconds`,
      ...[pk, session.owner, session.keyFingerprint],
      ...[session.subscriptions.config ?? null, session.subscriptions.commands ?? null],
      session.expirySeconds,
    );
  }

  leave({ ref, owner, expirySeconds, nowMs }: CommandOf<"leaveSession">): undefined {
    this.#statements.run(
      "UPDATE session SET owner = NULL, ends_ms = ?, expiry_seconds = ? WHERE device_pk = ? AND owner = ?",
      ...[nowMs + expirySeconds * 1000, expirySeconds, this.#findDevicePk(ref) ?? null, owner],
    );
  }

  end({ ref, owner }: CommandOf<"endSession">): undefined {
    this.#statements.run(
      "DELETE FROM session WHERE device_pk = ?1 AND (?2 IS NULL OR owner = ?2)",
      ...[this.#findDevicePk(ref) ?? null, owner ?? null],
    );
  }

  queue({ ref, command, nowMs }: CommandOf<"queueCommand">): AnswerOf<"queueCommand"> {
    const pk = this.#findDevicePk(ref);
    if (pk === undefined || !this.#isLiving(pk, nowMs)) return { kind: "no_session" };
    const session = this.#statements.get(
      "SELECT commands_qos, next_packet_identifier FROM session WHERE device_pk = ?",
      pk,
    );
    if (session?.["commands_qos"] !== 1) return { kind: "not_subscribed" };
    const waiting = this.#statements.all(
      "SELECT packet_identifier, length(payload) AS bytes FROM session_command WHERE device_pk = ?",
      pk,
    );
    const bytes = waiting.reduce((sum, row) => sum + Number(row["bytes"]), command.payload.length);
    if (waiting.length >= keptCommandsMax || bytes > keptCommandBytesMax) return { kind: "too_many" };
    const inUse = new Set(waiting.map((row) => Number(row["packet_identifier"])));
    const packetIdentifier = findFreePacketIdentifier(Number(session["next_packet_identifier"]), inUse);
    this.#statements.run(
      `INSERT INTO session_command (device_pk, packet_identifier, subfolder, payload, may_have_been_sent)
       VALUES (?, ?, ?, ?, ?)`,
      ...[pk, packetIdentifier, command.subfolder, command.payload, command.isSentNow ? 1 : 0],
    );
    this.#statements.run(
      "UPDATE session SET next_packet_identifier = ? WHERE device_pk = ?",
      ...[packetIdentifierAfter(packetIdentifier), pk],
    );
    return { kind: "queued", packetIdentifier };
  }

  remove({ ref, packetIdentifier }: CommandOf<"removeCommand">): undefined {
    this.#statements.run(
      "DELETE FROM session_command WHERE device_pk = ? AND packet_identifier = ?",
      ...[this.#findDevicePk(ref) ?? null, packetIdentifier],
    );
  }

  /** The device has these keys from now on: a Session whose key may not verify any more ends. */
  keysReplaced(pk: number, keys: readonly KeyRecord[], nowMs: number): void {
    const session = this.#statements.get("SELECT key_fingerprint FROM session WHERE device_pk = ?", pk);
    if (session === undefined || isKeyVerifying(keys, String(session["key_fingerprint"]), nowMs)) return;
    this.#statements.run("DELETE FROM session WHERE device_pk = ?", pk);
  }

  /** Connections of a process that is gone: their Sessions end `expiry_seconds` from now. */
  leaveAll({ nowMs }: CommandOf<"leaveAllSessions">): number {
    return this.#statements.run(
      `UPDATE session SET owner = NULL, ends_ms = ? + expiry_seconds * 1000
       WHERE device_pk IN (SELECT device_pk FROM session WHERE ends_ms IS NULL LIMIT ?)`,
      ...[nowMs, LEAVE_SESSIONS_MAX],
    );
  }

  trim({ nowMs }: CommandOf<"trimSessions">): number {
    return this.#statements.run(
      "DELETE FROM session WHERE device_pk IN (SELECT device_pk FROM session WHERE ends_ms <= ? LIMIT ?)",
      ...[nowMs, TRIM_SESSIONS_MAX],
    );
  }

  #isLiving(pk: number, nowMs: number): boolean {
    const sql = "SELECT 1 FROM session WHERE device_pk = ? AND (ends_ms IS NULL OR ends_ms > ?)";
    return this.#statements.get(sql, pk, nowMs) !== undefined;
  }

  #isKeyVerifying(pk: number, fingerprint: string, nowMs: number): boolean {
    const keys = String(this.#statements.get("SELECT keys FROM device WHERE pk = ?", pk)?.["keys"]);
    return isKeyVerifying(JSON.parse(keys) as readonly KeyRecord[], fingerprint, nowMs);
  }
}

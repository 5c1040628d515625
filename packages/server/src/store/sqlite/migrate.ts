/**
 * Numbered migrations: each runs once, in order, in a transaction of its own that also records its number.
 *
 * The number lives in the file's `user_version`. A file with a number we do not know was written by a later
 * Mayfly and is refused untouched: guessing at it could lose what that version relies on.
 */
import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../registry/store.ts";

/** Position in the list, from 1, is the number. Never edit one that was released: add another. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

export function schemaNumberOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** @throws {StoreError} schema_too_new */
export function checkSchemaNumber(
  database: DatabaseSync,
  migrations: readonly Migration[],
  file: string,
): void {
  const found = schemaNumberOf(database);
  if (found <= migrations.length) return;
  throw new StoreError(
    "schema_too_new",
    `${file} has schema ${found}, and this Mayfly knows up to ${migrations.length}: run the version that wrote it, or a later one`,
  );
}

/** @throws {StoreError} schema_too_new; whatever SQLite throws, with the failed migration undone. */
export function migrate(database: DatabaseSync, migrations: readonly Migration[], file: string): void {
  checkSchemaNumber(database, migrations, file);
  for (let number = schemaNumberOf(database) + 1; number <= migrations.length; number += 1) {
    database.exec("BEGIN IMMEDIATE");
    try {
      // Another process may have been faster while we waited for the lock.
      if (schemaNumberOf(database) < number) {
        database.exec(migrations[number - 1]?.sql ?? "");
        database.exec(`PRAGMA user_version=${number}`);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

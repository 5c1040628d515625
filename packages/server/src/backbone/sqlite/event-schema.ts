/**
 * The schema of an event partition, as numbered migrations.
 *
 * A block's number is its order in the partition and is never used twice: `meta.block_floor` remembers the
 * newest one once retention may have removed it. The index carries what retention and totals ask for, so that
 * neither has to touch the blocks. Subscriptions are defined in partition 0; each partition holds its cursors.
 */
import type { Migration } from "../../store/sqlite/migrate.ts";

export const eventMigrations: readonly Migration[] = [
  {
    name: "blocks, registries, subscriptions, cursors, acknowledgements",
    sql: `
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE registry (pk INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE block (
  block INTEGER PRIMARY KEY,
  registry_pk INTEGER NOT NULL,
  count INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  last_ms REAL NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX block_by_registry ON block (registry_pk, block, count, bytes, last_ms);
CREATE TABLE subscription (uid TEXT PRIMARY KEY, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
  uid TEXT PRIMARY KEY,
  registry_pk INTEGER NOT NULL,
  next_block INTEGER NOT NULL,
  removed_unread INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cursor_by_registry ON cursor (registry_pk);
CREATE TABLE acknowledgement (
  uid TEXT NOT NULL, block INTEGER NOT NULL, bitmap BLOB NOT NULL,
  PRIMARY KEY (uid, block)
) STRICT, WITHOUT ROWID;
CREATE TABLE probe (pk INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
`,
  },
  {
    // Nothing moves: blocks written from here on may say where they were routed, which an older Mayfly would take for
    // payload. The number keeps it out.
    name: "blocks that carry topics",
    sql: "",
  },
];

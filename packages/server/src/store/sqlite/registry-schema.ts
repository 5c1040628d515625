/**
 * The registry file's schema, as numbered migrations.
 *
 * House rules (they hold for other engines too): 64-bit ids are TEXT, booleans 0 or 1, instants epoch
 * milliseconds, JSON is opaque TEXT that no query looks into, ids compare byte by byte.
 *
 * A device's keys stand as JSON in its own row, so that a CONNECT reads one row; `device_key` is the index
 * that finds who else holds a key, with its state and slot. Kept commands are read in the order of an index,
 * since a sort would copy their payloads.
 */
import type { Migration } from "./migrate.ts";

export const registryMigrations: readonly Migration[] = [
  {
    name: "registries, devices, keys, configs, states, activity, change log, admin tokens",
    sql: `
CREATE TABLE registry (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL, location TEXT NOT NULL, registry TEXT NOT NULL,
  num_id TEXT NOT NULL UNIQUE,
  policy TEXT NOT NULL,
  retention_age_seconds INTEGER NOT NULL, retention_bytes INTEGER NOT NULL,
  mqtt_enabled INTEGER NOT NULL, http_enabled INTEGER NOT NULL, log_level TEXT NOT NULL,
  event_notification_configs TEXT NOT NULL, state_notification_topic TEXT NOT NULL,
  credentials TEXT NOT NULL,
  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  UNIQUE (project, location, registry)
) STRICT;

CREATE TABLE device (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  registry_pk INTEGER NOT NULL REFERENCES registry (pk),
  device_id TEXT NOT NULL,
  num_id TEXT NOT NULL UNIQUE,
  blocked INTEGER NOT NULL,
  tokens_not_before_seconds REAL,
  keys TEXT NOT NULL,
  log_level TEXT NOT NULL, metadata TEXT NOT NULL,
  gateway_type TEXT NOT NULL, gateway_auth_method TEXT NOT NULL,
  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  UNIQUE (registry_pk, device_id)
) STRICT;

CREATE TABLE device_key (
  device_pk INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  project TEXT NOT NULL, fingerprint TEXT NOT NULL,
  key_id TEXT NOT NULL, state TEXT NOT NULL, slot INTEGER, expires_at_seconds REAL,
  PRIMARY KEY (device_pk, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_key_by_fingerprint ON device_key (project, fingerprint);

CREATE TABLE revoked_key (
  project TEXT NOT NULL, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (project, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE retired_num_id (num_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE device_config (
  device_pk INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  cloud_update_ms INTEGER NOT NULL, device_ack_ms INTEGER, binary_data BLOB NOT NULL,
  PRIMARY KEY (device_pk, version)
) STRICT;

CREATE TABLE device_state (
  device_pk INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  update_ms INTEGER NOT NULL, binary_data BLOB NOT NULL,
  PRIMARY KEY (device_pk, number)
) STRICT;

CREATE TABLE device_activity (
  device_pk INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,
  activity TEXT NOT NULL
) STRICT;

CREATE TABLE change_log (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  project TEXT NOT NULL, location TEXT NOT NULL, registry TEXT NOT NULL,
  device_id TEXT, at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE admin_token (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL, loopback_only INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, expires_ms INTEGER
) STRICT;

CREATE TABLE probe (pk INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
`,
  },
  {
    name: "Sessions that outlive their connection, and the commands kept for them",
    sql: `
CREATE TABLE session (
  device_pk INTEGER PRIMARY KEY REFERENCES device (pk) ON DELETE CASCADE,
  owner TEXT, ends_ms INTEGER,
  key_fingerprint TEXT NOT NULL,
  config_qos INTEGER, commands_qos INTEGER,
  expiry_seconds INTEGER NOT NULL,
  next_packet_identifier INTEGER NOT NULL,
  CHECK ((owner IS NULL) <> (ends_ms IS NULL))
) STRICT;
CREATE INDEX session_by_end ON session (ends_ms);

CREATE TABLE session_command (
  sequence INTEGER PRIMARY KEY,
  device_pk INTEGER NOT NULL REFERENCES session (device_pk) ON DELETE CASCADE,
  packet_identifier INTEGER NOT NULL,
  subfolder TEXT NOT NULL, payload BLOB NOT NULL,
  may_have_been_sent INTEGER NOT NULL,
  UNIQUE (device_pk, packet_identifier)
) STRICT;
CREATE INDEX session_command_in_order ON session_command (device_pk, sequence);
`,
  },
  {
    name: "authentication records",
    sql: `
CREATE TABLE authentication_record (
  device_pk INTEGER NOT NULL REFERENCES device (pk) ON DELETE CASCADE,
  class TEXT NOT NULL,
  number INTEGER NOT NULL,
  series TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (device_pk, class, number)
) STRICT, WITHOUT ROWID;
`,
  },
  {
    name: "instructions, attestation keys, and a policy about offered keys",
    sql: `
ALTER TABLE device ADD COLUMN instruction TEXT;
ALTER TABLE device ADD COLUMN attestation TEXT;
UPDATE registry SET policy = json_set(policy, '$.keyOffers', 'refuse');
`,
  },
  {
    // A registry that is there already keeps its pace: a new limit would cut devices that did nothing new.
    name: "gateways and the devices bound to them, and limits per device",
    sql: `
CREATE TABLE gateway_binding (
  gateway_pk INTEGER NOT NULL REFERENCES device (pk),
  device_pk INTEGER NOT NULL REFERENCES device (pk),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (gateway_pk, device_pk)
) STRICT, WITHOUT ROWID;
CREATE INDEX gateway_binding_by_device ON gateway_binding (device_pk, gateway_pk);
ALTER TABLE change_log ADD COLUMN gateway_id TEXT;
UPDATE registry SET policy = json_set(policy,
  '$.gatewayAssociationOnly', iif(json_extract(policy, '$.preset') = 'iot-core', 'allow', 'refuse'),
  '$.attachEndsDirectSession', json(iif(json_extract(policy, '$.preset') = 'iot-core', 'true', 'false')),
  '$.messagesPerSecond', 0, '$.bytesPerSecond', 0, '$.statesPerSecond', 0, '$.configsPerSecond', 0,
  '$.commandsPerSecond', 0);
`,
  },
];

/**
 * The registry's writer thread: the only place that commits to the registry file in a serving process.
 *
 * A batch is one transaction, so many writers share one fsync. A refused command is undone alone; a failure
 * of the disk undoes the batch. Checkpoints come after the answer.
 */
import { workerData } from "node:worker_threads";
import { StoreError } from "../../registry/store.ts";
import { openForWriting, storeErrorOf } from "./database.ts";
import { migrate } from "./migrate.ts";
import type {
  CommandResult,
  RegistryBatch,
  RegistryBatchReply,
  RegistryCommand,
  RegistryWriterData,
} from "./registry-commands.ts";
import { RegistryExecutor } from "./registry-executor.ts";
import { registryMigrations } from "./registry-schema.ts";
import { WalKeeper } from "./wal-keeper.ts";
import { runWriter } from "./writer-port.ts";

runWriter<RegistryBatch, RegistryBatchReply>("cannot open the registry file", () => {
  const { file, busyMillis } = workerData as RegistryWriterData;
  const database = openForWriting(file, busyMillis);
  // Durable before answered: a commit returns after its fsync.
  database.exec("PRAGMA synchronous=FULL");
  database.exec("PRAGMA foreign_keys=ON");
  migrate(database, registryMigrations, file);
  const executor = new RegistryExecutor(database);
  const wal = new WalKeeper(database);

  function executeOne(command: RegistryCommand): CommandResult {
    database.exec("SAVEPOINT command");
    try {
      const value = executor.execute(command);
      database.exec("RELEASE command");
      return { ok: true, value };
    } catch (error) {
      // Anything but a refusal of ours is the batch's failure: SQLite may have undone all of it already.
      if (!(error instanceof StoreError)) throw error;
      database.exec("ROLLBACK TO command");
      database.exec("RELEASE command");
      return { ok: false, code: error.code, message: error.message };
    }
  }

  function executeAll(commands: readonly RegistryCommand[]): RegistryBatchReply {
    try {
      database.exec("BEGIN IMMEDIATE");
      const results = commands.map(executeOne);
      database.exec("COMMIT");
      return { results };
    } catch (cause) {
      if (database.isTransaction) database.exec("ROLLBACK");
      const { code, message } = storeErrorOf(cause, "the registry could not be written");
      const failed = { code, message };
      return { results: commands.map(() => ({ ok: false, ...failed })), failed };
    }
  }

  return {
    facts: undefined,
    close: () => database.close(),
    handle({ commands }, reply) {
      const outcome = executeAll(commands);
      reply(outcome);
      if (outcome.failed === undefined) wal.committed(commands.length);
    },
  };
});

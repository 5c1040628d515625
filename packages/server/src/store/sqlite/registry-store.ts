/**
 * The registry in one SQLite file: reads on the caller's thread, every commit on a writer thread.
 *
 * A server opens it with `exclusive: "serve"` and is alone in serving; a command on the same host opens it
 * with `"tool"` and may write beside the server, which hears of it within 250 ms.
 */
import type { CancelTimer, Clock, Random, Timers } from "@mayfly/core";
import type { AuthenticationRecord, AuthenticationUpdate } from "../../auth/authentication-record.ts";
import { type AttachmentRecord, type BindingLimits, bindingLimits } from "../../registry/gateway-store.ts";
import type {
  AdmissionRecord,
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  RegistryChange,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import type {
  CommandToQueue,
  KeptSession,
  QueueCommandOutcome,
  SessionToSave,
} from "../../registry/session-store.ts";
import {
  type ActivityUpdate,
  type AdminTokenRecord,
  type DeviceListFilter,
  type DevicePatch,
  type LookUp,
  type Page,
  type RegistryPatch,
  type RegistryStore,
  StoreError,
  type StoreStatus,
} from "../../registry/store.ts";
import { ActivityQueue } from "../activity-queue.ts";
import { AuthenticationQueue } from "../authentication-queue.ts";
import { ACTIVITY_DELAY_MILLIS } from "../bounds.ts";
import { assertRetiringKeysDated } from "../key-dates.ts";
import { drawNumIds } from "../num-id.ts";
import { ChangeFeed } from "./change-feed.ts";
import { checkSqliteVersion, openForReading, prepareOwnerOnlyFile, storeErrorOf } from "./database.ts";
import { checkSchemaNumber, schemaNumberOf } from "./migrate.ts";
import type {
  CommandKind,
  NewDevice,
  NewRegistry,
  RegistryCommand,
  RegistryCommands,
} from "./registry-commands.ts";
import { RegistryQueue } from "./registry-queue.ts";
import { RegistryReader } from "./registry-reader.ts";
import { registryMigrations } from "./registry-schema.ts";
import { acquireServeLock, type ServeLock } from "./serve-lock.ts";
import { siblingScript } from "./writer-thread.ts";

/** How long a writer waits for a writer of another process. */
const BUSY_MILLIS = 5_000;
/** Devices whose activity one command writes, and records. */
const NOTES_BATCH_MAX = 1_000;
const CHANGE_LOG_KEPT_MS = 24 * 3_600_000;
const TRIM_EVERY_MILLIS = 600_000;
/** While writes fail: how often to try whether the disk takes them again. */
const PROBE_EVERY_MILLIS = 1_000;

export interface SqliteRegistryStoreOptions {
  readonly clock: Pick<Clock, "wallSeconds">;
  readonly timers: Timers;
  readonly random: Random;
  /** The registry file; its folder is made (0700) where missing. Beside it: `-wal`, `-shm`, `.lock`. */
  readonly file: string;
  /** "serve": no other process may serve this file meanwhile. "tool": beside a server, for a short visit. */
  readonly exclusive: "serve" | "tool";
  /** Absent: the contract's. */
  readonly bindingLimits?: BindingLimits;
}

/**
 * Opens the registry file, making or migrating it where needed.
 *
 * @throws {StoreError} locked: another process serves it (or a tool would have to migrate it under a server);
 *   schema_too_new: a later Mayfly wrote it; store_failed: SQLite is too old, or the file can't be opened.
 */
export async function openSqliteRegistryStore(options: SqliteRegistryStoreOptions): Promise<RegistryStore> {
  checkSqliteVersion();
  prepareOwnerOnlyFile(options.file);
  const needsLock = options.exclusive === "serve" || needsMigration(options.file);
  let lock: ServeLock | undefined = needsLock ? acquireServeLock(`${options.file}.lock`) : undefined;
  try {
    const store = new SqliteRegistryStore(options);
    await store.start();
    if (options.exclusive === "serve") store.keep(lock);
    else lock?.release();
    lock = undefined;
    return store;
  } finally {
    lock?.release();
  }
}

function needsMigration(file: string): boolean {
  try {
    const database = openForReading(file);
    try {
      checkSchemaNumber(database, registryMigrations, file);
      return schemaNumberOf(database) < registryMigrations.length;
    } finally {
      database.close();
    }
  } catch (cause) {
    throw storeErrorOf(cause, `cannot open ${file}`);
  }
}

/** What is written later, many at once. */
type NoteKind = "activity" | "records";

interface NoteQueue<T> {
  readonly size: number;
  take(max: number): readonly T[];
  giveBack(updates: readonly T[]): void;
}

class SqliteRegistryStore implements RegistryStore {
  readonly #options: SqliteRegistryStoreOptions;
  readonly #queue: RegistryQueue;
  readonly #activity = new ActivityQueue();
  readonly #records = new AuthenticationQueue();
  readonly #cancels = new Map<string, CancelTimer>();
  #opened: { readonly reader: RegistryReader; readonly feed: ChangeFeed } | undefined;
  #lock: ServeLock | undefined;
  #readTrouble: string | undefined;
  readonly #flushing = new Set<NoteKind>();
  #isClosed = false;

  constructor(options: SqliteRegistryStoreOptions) {
    this.#options = options;
    this.#queue = new RegistryQueue({
      script: siblingScript(import.meta.url, "registry-writer"),
      workerData: { file: options.file, busyMillis: BUSY_MILLIS },
      timers: options.timers,
      committed: () => this.#opened?.feed.look(),
    });
  }

  async start(): Promise<void> {
    await this.#queue.start();
    try {
      if (this.#options.exclusive === "serve") await this.#leaveAllSessions();
      const reader = new RegistryReader(openForReading(this.#options.file));
      const feed = new ChangeFeed({
        reader,
        timers: this.#options.timers,
        changed: (change) => reader.forget(change.registry),
        trouble: (because) => this.#noteRead(because),
      });
      this.#opened = { reader, feed };
    } catch (cause) {
      await this.#queue.close();
      throw storeErrorOf(cause, `cannot open ${this.#options.file}`);
    }
    if (this.#options.exclusive === "serve") {
      this.#every("trim", TRIM_EVERY_MILLIS, () => this.#trim());
      this.#every("probe", PROBE_EVERY_MILLIS, () => this.#probe());
    }
  }

  /** Released when the store is closed. */
  keep(lock: ServeLock | undefined): void {
    this.#lock = lock;
  }

  createRegistry(record: NewRegistry): Promise<RegistryRecord> {
    return this.#write("createRegistry", { record, numIds: drawNumIds(this.#options.random) });
  }

  async findRegistry(ref: RegistryRef): Promise<RegistryRecord | undefined> {
    return this.#read((reader) => reader.findRegistry(ref));
  }

  async listRegistries(
    parent: { readonly project: string; readonly location?: string },
    page: { readonly size: number; readonly token?: string },
  ): Promise<Page<RegistryRecord>> {
    return this.#read((reader) => reader.listRegistries(parent, page));
  }

  updateRegistry(ref: RegistryRef, patch: RegistryPatch): Promise<RegistryRecord> {
    return this.#write("updateRegistry", { ref, patch });
  }

  deleteRegistry(ref: RegistryRef): Promise<void> {
    return this.#write("deleteRegistry", { ref });
  }

  async createDevice(record: NewDevice): Promise<DeviceRecord> {
    assertRetiringKeysDated(record.keys);
    return this.#write("createDevice", { record, numIds: drawNumIds(this.#options.random) });
  }

  async findDevice(ref: DeviceRef): Promise<DeviceRecord | undefined> {
    return this.#read((reader) => reader.findDevice(ref));
  }

  async listDevices(
    registry: RegistryRef,
    page: { readonly size: number; readonly token?: string },
    filter?: DeviceListFilter,
  ): Promise<Page<DeviceRecord>> {
    return this.#read((reader) => reader.listDevices(registry, page, filter));
  }

  async updateDevice(ref: DeviceRef, patch: DevicePatch): Promise<DeviceRecord> {
    assertRetiringKeysDated(patch.keys ?? []);
    return this.#write("updateDevice", { ref, patch });
  }

  deleteDevice(ref: DeviceRef): Promise<void> {
    return this.#write("deleteDevice", { ref });
  }

  bindDevice(ref: RegistryRef, gateway: string, device: string): Promise<void> {
    const limits = this.#options.bindingLimits ?? bindingLimits;
    return this.#write("bindDevice", { ref, gateway, device, limits });
  }

  unbindDevice(ref: RegistryRef, gateway: string, device: string): Promise<void> {
    return this.#write("unbindDevice", { ref, gateway, device });
  }

  /** Answers synchronously, like {@link lookUpAdmission}. */
  lookUpAttachment(
    device: DeviceRef,
    gateway: string,
    answer: (record: LookUp<AttachmentRecord>) => void,
  ): void {
    answer(this.#tryRead((reader) => reader.lookUpAttachment(device, gateway)));
  }

  modifyConfig(
    ref: DeviceRef,
    binaryData: Uint8Array,
    versionToUpdate: number,
  ): Promise<DeviceConfigVersion> {
    // Copied now: the write leaves with the next batch, and the caller's buffer is its own again.
    return this.#write("modifyConfig", { ref, binaryData: new Uint8Array(binaryData), versionToUpdate });
  }

  async listConfigVersions(ref: DeviceRef, newest: number): Promise<readonly DeviceConfigVersion[]> {
    return this.#read((reader) => reader.listConfigVersions(ref, newest));
  }

  acknowledgeConfig(ref: DeviceRef, version: number, atMs: number): Promise<void> {
    return this.#write("acknowledgeConfig", { ref, version, atMs });
  }

  appendState(ref: DeviceRef, state: DeviceStateVersion): Promise<void> {
    const copy = { updateMs: state.updateMs, binaryData: new Uint8Array(state.binaryData) };
    return this.#write("appendState", { ref, state: copy });
  }

  async listStates(ref: DeviceRef, newest: number): Promise<readonly DeviceStateVersion[]> {
    return this.#read((reader) => reader.listStates(ref, newest));
  }

  /** Answers synchronously. A file that can't be read admits nobody, and {@link status} says so. */
  lookUpAdmission(ref: DeviceRef, answer: (record: LookUp<AdmissionRecord>) => void): void {
    answer(this.#tryRead((reader) => reader.lookUpAdmission(ref)));
  }

  lookUpConfig(ref: DeviceRef, answer: (config: LookUp<DeviceConfigVersion>) => void): void {
    answer(this.#tryRead((reader) => reader.lookUpConfig(ref)));
  }

  lookUpSession(ref: DeviceRef, answer: (session: LookUp<KeptSession>) => void): void {
    answer(this.#tryRead((reader) => reader.lookUpSession(ref, this.#nowMs())));
  }

  saveSession(ref: DeviceRef, session: SessionToSave): Promise<void> {
    return this.#write("saveSession", { ref, session });
  }

  leaveSession(ref: DeviceRef, owner: string, expirySeconds: number): Promise<void> {
    return this.#write("leaveSession", { ref, owner, expirySeconds });
  }

  endSession(ref: DeviceRef, owner?: string): Promise<void> {
    return this.#write("endSession", { ref, ...(owner === undefined ? {} : { owner }) });
  }

  queueCommand(ref: DeviceRef, command: CommandToQueue): Promise<QueueCommandOutcome> {
    const copy = { ...command, payload: new Uint8Array(command.payload) };
    return this.#write("queueCommand", { ref, command: copy });
  }

  removeCommand(ref: DeviceRef, packetIdentifier: number): Promise<void> {
    return this.#write("removeCommand", { ref, packetIdentifier });
  }

  recordActivity(update: ActivityUpdate): void {
    if (this.#isClosed) return;
    this.#activity.add(update);
    this.#noteLater("activity");
  }

  recordAuthentication(update: AuthenticationUpdate): void {
    if (this.#isClosed) return;
    this.#records.add(update);
    this.#noteLater("records");
  }

  async listAuthentications(ref: DeviceRef, newest: number): Promise<readonly AuthenticationRecord[]> {
    return this.#read((reader) => reader.listAuthentications(ref, newest));
  }

  addAdminToken(record: AdminTokenRecord): Promise<void> {
    return this.#write("addAdminToken", { record });
  }

  async findAdminToken(hash: string): Promise<AdminTokenRecord | undefined> {
    return this.#read((reader) => reader.findAdminToken(hash));
  }

  async listAdminTokens(): Promise<readonly AdminTokenRecord[]> {
    return this.#read((reader) => reader.listAdminTokens());
  }

  removeAdminToken(hash: string): Promise<boolean> {
    return this.#write("removeAdminToken", { hash });
  }

  onChange(listener: (change: RegistryChange) => void): () => void {
    return this.#opened?.feed.listen(listener) ?? (() => undefined);
  }

  status(): StoreStatus {
    const sizes = { queuedWrites: this.#queue.size, recordsDropped: this.#records.dropped };
    const because = this.#isClosed
      ? "the registry store is closed"
      : (this.#queue.trouble ?? this.#readTrouble);
    return because === undefined ? { healthy: true, ...sizes } : { healthy: false, because, ...sizes };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const cancel of this.#cancels.values()) cancel();
    await this.#writeNotes("activity");
    await this.#writeNotes("records");
    await this.#queue.close();
    this.#opened?.feed.stop();
    this.#opened?.reader.close();
    this.#lock?.release();
  }

  async #write<K extends CommandKind>(
    kind: K,
    take: RegistryCommands[K]["take"],
  ): Promise<RegistryCommands[K]["answer"]> {
    const command = { kind, nowMs: this.#nowMs(), ...take } as unknown as RegistryCommand;
    return (await this.#queue.write(command)) as RegistryCommands[K]["answer"];
  }

  #read<T>(read: (reader: RegistryReader) => T): T {
    if (this.#opened === undefined || this.#isClosed) {
      throw new StoreError("closed", "the registry store is closed");
    }
    try {
      return read(this.#opened.reader);
    } catch (cause) {
      if (!(cause instanceof StoreError)) this.#noteRead(cause);
      throw storeErrorOf(cause, "the registry could not be read");
    }
  }

  #tryRead<T>(read: (reader: RegistryReader) => T | undefined): LookUp<T> {
    try {
      return this.#read(read);
    } catch {
      return "unavailable"; // noted by #read, told by status()
    }
  }

  #noteRead(because: unknown): void {
    this.#readTrouble =
      because === undefined ? undefined : storeErrorOf(because, "the registry could not be read").message;
  }

  #noteLater(kind: NoteKind): void {
    if (!this.#cancels.has(kind)) this.#once(kind, ACTIVITY_DELAY_MILLIS, () => void this.#writeNotes(kind));
  }

  #writeNotes(kind: NoteKind): Promise<void> {
    return kind === "activity"
      ? this.#flush(kind, this.#activity, (updates) => this.#write("recordActivity", { updates }))
      : this.#flush(kind, this.#records, (updates) => this.#write("recordAuthentications", { updates }));
  }

  /** Everything that waited when it began, a bounded number a command. */
  async #flush<T>(
    kind: NoteKind,
    queue: NoteQueue<T>,
    write: (updates: readonly T[]) => Promise<undefined>,
  ): Promise<void> {
    if (this.#flushing.has(kind)) return;
    this.#flushing.add(kind);
    for (let left = queue.size; left > 0; left -= NOTES_BATCH_MAX) {
      const updates = queue.take(Math.min(left, NOTES_BATCH_MAX));
      try {
        await write(updates);
      } catch {
        // The reason stands in status(); the facts wait for the next turn.
        queue.giveBack(updates);
        break;
      }
    }
    this.#flushing.delete(kind);
    if (queue.size > 0 && !this.#isClosed) this.#noteLater(kind);
  }

  async #trim(): Promise<void> {
    const beforeMs = this.#nowMs() - CHANGE_LOG_KEPT_MS;
    while (!this.#isClosed && (await this.#write("trimChanges", { beforeMs })) > 0);
    while (!this.#isClosed && (await this.#write("trimSessions", {})) > 0);
  }

  /** Whoever was connected when the last server ended has no connection now, and its time to come back begins. */
  async #leaveAllSessions(): Promise<void> {
    while ((await this.#write("leaveAllSessions", {})) > 0);
  }

  async #probe(): Promise<void> {
    if (this.#queue.trouble !== undefined) await this.#write("probe", {});
  }

  #every(name: string, millis: number, run: () => Promise<void>): void {
    this.#once(name, millis, () => {
      // A failure is in status() already, and the next turn tries again.
      void run().catch(() => undefined);
      this.#every(name, millis, run);
    });
  }

  #once(name: string, millis: number, run: () => void): void {
    const cancel = this.#options.timers.after(millis, () => {
      this.#cancels.delete(name);
      run();
    });
    this.#cancels.set(name, cancel);
  }

  #nowMs(): number {
    return Math.round(this.#options.clock.wallSeconds() * 1000);
  }
}

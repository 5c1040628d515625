/**
 * The memory store behind a slow wall: what the bridge asks of it may be answered late.
 *
 * A read sees the store as it was when it was asked, and its answer may be overtaken by others. Writes are done in
 * order, each when it is released, and a read does not see one that waits: so it is with a writer thread beside a
 * reader, and with a database behind a wire. The application's own changes of the registry come from elsewhere and
 * wait for nobody.
 */
import type { BridgePorts } from "../../src/mqtt/bridge.ts";
import type { RegistryStore } from "../../src/registry/store.ts";
import type { Choice } from "./choice.ts";

type BridgeStore = BridgePorts["registry"];

/** How slow the wall is. */
export interface Slowness {
  readonly readPercent: number;
  readonly writePercent: number;
}

/** What becomes durable, as it does. */
export interface StoreWatcher {
  stateStored(payload: Uint8Array): void;
  commandKept(payload: Uint8Array, device: string): void;
}

export class LateStore implements BridgeStore {
  readonly reads: (() => void)[] = [];
  readonly writes: (() => void)[] = [];
  readonly #store: RegistryStore;
  readonly #choice: Choice;
  readonly #watcher: StoreWatcher;
  slowness: Slowness;

  constructor(store: RegistryStore, choice: Choice, slowness: Slowness, watcher: StoreWatcher) {
    this.#store = store;
    this.#choice = choice;
    this.slowness = slowness;
    this.#watcher = watcher;
  }

  get isQuiet(): boolean {
    return this.reads.length === 0 && this.writes.length === 0;
  }

  /** From now on everything is answered at once, and what waited is answered. */
  hurry(): void {
    this.slowness = { readPercent: 0, writePercent: 0 };
    while (!this.isQuiet) {
      this.releaseWrite();
      this.releaseRead(0);
    }
  }

  releaseWrite(): void {
    this.writes.shift()?.();
  }

  releaseRead(index: number): void {
    this.reads.splice(index, 1)[0]?.();
  }

  lookUpAdmission: BridgeStore["lookUpAdmission"] = (ref, answer) =>
    this.#store.lookUpAdmission(ref, (record) => this.#read(() => answer(record)));
  lookUpAttachment: BridgeStore["lookUpAttachment"] = (ref, gateway, answer) =>
    this.#store.lookUpAttachment(ref, gateway, (record) => this.#read(() => answer(record)));
  lookUpConfig: BridgeStore["lookUpConfig"] = (ref, answer) =>
    this.#store.lookUpConfig(ref, (config) => this.#read(() => answer(config)));
  lookUpSession: BridgeStore["lookUpSession"] = (ref, answer) =>
    this.#store.lookUpSession(ref, (session) => this.#read(() => answer(session)));
  recordActivity: BridgeStore["recordActivity"] = (update) => this.#store.recordActivity(update);
  recordAuthentication: BridgeStore["recordAuthentication"] = (update) =>
    this.#store.recordAuthentication(update);
  onChange: BridgeStore["onChange"] = (listener) => this.#store.onChange(listener);

  appendState: BridgeStore["appendState"] = (ref, state) =>
    this.#write(async () => {
      await this.#store.appendState(ref, state);
      this.#watcher.stateStored(state.binaryData);
    });
  acknowledgeConfig: BridgeStore["acknowledgeConfig"] = (ref, version, atMs) =>
    this.#write(() => this.#store.acknowledgeConfig(ref, version, atMs));
  saveSession: BridgeStore["saveSession"] = (ref, session) =>
    this.#write(() => this.#store.saveSession(ref, session));
  leaveSession: BridgeStore["leaveSession"] = (ref, owner, expirySeconds) =>
    this.#write(() => this.#store.leaveSession(ref, owner, expirySeconds));
  endSession: BridgeStore["endSession"] = (ref, owner) =>
    this.#write(() => this.#store.endSession(ref, owner));
  queueCommand: BridgeStore["queueCommand"] = (ref, command) =>
    this.#write(() => {
      // The order in which the store does them is the order of the commands.
      this.#watcher.commandKept(command.payload, ref.device);
      return this.#store.queueCommand(ref, command);
    });
  removeCommand: BridgeStore["removeCommand"] = (ref, packetIdentifier) =>
    this.#write(() => this.#store.removeCommand(ref, packetIdentifier));

  #read(answer: () => void): void {
    if (this.#choice.percent(this.slowness.readPercent)) this.reads.push(answer);
    else answer();
  }

  #write<T>(write: () => Promise<T>): Promise<T> {
    // Answers take one way, so that they come in the order of the writes.
    return new Promise((resolve, reject) => {
      const run = () => void write().then(resolve, reject);
      if (this.writes.length === 0 && !this.#choice.percent(this.slowness.writePercent)) run();
      else this.writes.push(run);
    });
  }
}

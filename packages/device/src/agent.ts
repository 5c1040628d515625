/**
 * The agent: what an application holds of its device. It takes messages, shows how things stand, and hands over
 * what comes from the bridge.
 *
 * Left to others: connections and renewals (`supervisor.ts`), the outbox (`publisher.ts`).
 */
import type { AgentHandlers } from "./downlink.ts";
import { type KeyChoice, singleKey } from "./key/key-choice.ts";
import { type AgentOptions, settleOptions } from "./options.ts";
import type { AgentPorts } from "./ports.ts";
import { type PublishAnswer, Publisher, type PublishOptions, type PublishRefusal } from "./publisher.ts";
import type { AgentEvent, AgentStatus } from "./status.ts";
import { Supervisor } from "./supervisor.ts";

export const listenersMax = 16;

export interface Agent {
  /** Begins to mint and connect, and keeps at it until `stop`. */
  start(): void;
  /** Takes one telemetry message into the outbox; also before `start` and while not connected. */
  publish(payload: Uint8Array, options?: PublishOptions): PublishAnswer;
  /**
   * As `publish`, for who does not ask what became of the message: it costs its bytes in the outbox and no more.
   */
  post(payload: Uint8Array, options?: PublishOptions): "accepted" | PublishRefusal;
  /**
   * As `publish`, to the state topic, QoS 1. While one is on its way the newest waits, one a second goes, and one that a
   * newer one overtook is answered `superseded`.
   */
  publishState(payload: Uint8Array): PublishAnswer;
  /** Sends DISCONNECT and ends; what is not acknowledged is answered `stopped`. */
  stop(): void;
  status(): AgentStatus;
  /** At most {@link listenersMax} listeners, which must not throw. @returns stop listening. */
  onEvent(listener: (event: AgentEvent) => void): () => void;
}

/** @throws {AgentOptionError} @throws {IdError} An option is out of range. */
export function createAgent(ports: AgentPorts, options: AgentOptions, handlers: AgentHandlers = {}): Agent {
  return new DeviceAgent(ports, options, handlers);
}

class DeviceAgent implements Agent {
  readonly #keys: KeyChoice;
  readonly #publisher: Publisher;
  readonly #supervisor: Supervisor;
  readonly #listeners = new Set<(event: AgentEvent) => void>();

  constructor(ports: AgentPorts, options: AgentOptions, handlers: AgentHandlers) {
    const settings = settleOptions(options);
    const tell = (event: AgentEvent): void => {
      for (const listener of this.#listeners) listener(event);
    };
    const { signer } = ports;
    this.#keys = "attach" in signer ? signer : singleKey(signer, settings.slot);
    this.#publisher = new Publisher(settings, ports, tell, () => this.#supervisor.pump());
    this.#supervisor = new Supervisor(ports, this.#keys, settings, handlers, this.#publisher, tell);
  }

  start(): void {
    this.#publisher.tellOpening();
    this.#supervisor.start();
  }

  stop(): void {
    this.#supervisor.stop();
  }

  publish(payload: Uint8Array, options: PublishOptions = {}): PublishAnswer {
    return this.#take(() => this.#publisher.takeEvent(payload, options));
  }

  post(payload: Uint8Array, options: PublishOptions = {}): "accepted" | PublishRefusal {
    if (this.#supervisor.isStopped) return "stopped";
    const answer = this.#publisher.postEvent(payload, options);
    this.#supervisor.pump();
    return answer;
  }

  publishState(payload: Uint8Array): PublishAnswer {
    return this.#take(() => this.#publisher.takeState(payload));
  }

  status(): AgentStatus {
    const { signer, slot, lastInstruction } = this.#keys;
    return {
      keyId: signer.keyId,
      ...(slot === undefined ? undefined : { slot }),
      ...(lastInstruction === undefined ? undefined : { lastInstruction }),
      ...this.#supervisor.status(),
      ...this.#publisher.counts,
    };
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    if (this.#listeners.size >= listenersMax) throw new RangeError(`at most ${listenersMax} listeners`);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #take(take: () => PublishAnswer): PublishAnswer {
    if (this.#supervisor.isStopped) return this.#publisher.refuse("stopped");
    const answer = take();
    this.#supervisor.pump();
    return answer;
  }
}

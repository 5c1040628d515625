/**
 * Who wants to hear of messages that became durable: hints for pulls, and live tails.
 *
 * Both are told after the acknowledgement, never before. A listener is a plain call: one that wants to take
 * its time must queue for itself, since nobody waits for it.
 */
import type { RegistryIdentity } from "../registry/model.ts";
import type { TelemetryMessage } from "../telemetry/backbone.ts";
import { registryKeyOf } from "./registry-key.ts";

export type DurableMessage = TelemetryMessage & { readonly messageId: string };

export class DurableListeners {
  readonly #hints = new Map<string, Set<() => void>>();
  readonly #tails = new Map<string, Set<(message: DurableMessage) => void>>();

  onDurable(registry: RegistryIdentity, hint: () => void): () => void {
    return listen(this.#hints, registryKeyOf(registry), () => hint());
  }

  tail(registry: RegistryIdentity, listener: (message: DurableMessage) => void): () => void {
    return listen(this.#tails, registryKeyOf(registry), (message) => listener(message));
  }

  isTailed(registryKey: string): boolean {
    return this.#tails.has(registryKey);
  }

  hint(registryKey: string): void {
    const hints = this.#hints.get(registryKey);
    if (hints !== undefined) for (const hint of [...hints]) hint();
  }

  tell(registryKey: string, messages: readonly DurableMessage[]): void {
    const tails = this.#tails.get(registryKey);
    if (tails === undefined) return;
    for (const message of messages) for (const listener of [...tails]) listener(message);
  }
}

/** @param own A function of its own for each call, so that each stop ends just one. */
function listen<T>(all: Map<string, Set<T>>, key: string, own: T): () => void {
  const some = all.get(key) ?? new Set<T>();
  all.set(key, some.add(own));
  return () => {
    some.delete(own);
    if (some.size === 0 && all.get(key) === some) all.delete(key);
  };
}

/**
 * Tells committed changes to listeners, each once and in order, even when a listener causes the next change.
 */
import type { RegistryChange } from "../../registry/model.ts";

export class ChangeTeller {
  readonly #listeners = new Set<(change: RegistryChange) => void>();
  readonly #untold: RegistryChange[] = [];
  #isTelling = false;

  /** A listener added while a change is being told hears of the next one. */
  listen(listener: (change: RegistryChange) => void): () => void {
    // A wrapper of its own, so that the same function registered twice is told twice and stopped once.
    const own = (change: RegistryChange): void => listener(change);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  tell(change: RegistryChange): void {
    this.#untold.push(change);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
        for (const listener of [...this.#listeners]) listener(next);
      }
    } finally {
      this.#isTelling = false;
    }
  }
}

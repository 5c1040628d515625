/**
 * A registry that is deleted leaves the backbone too.
 *
 * What the backbone knows is compared with what the registry store has, by numId: at the start, for what a
 * tool deleted meanwhile or a removal that was cut short; then at each deletion. The backbone is asked first.
 * It can know a registry only after the store had it, so one the store then lacks was deleted, and one made
 * anew under the same name is not mistaken for it.
 */
import type { RegistryRef } from "../registry/model.ts";
import { type RegistryStore, StoreError } from "../registry/store.ts";
import type { Backbone } from "../telemetry/backbone.ts";

export interface DepartedRegistriesPorts {
  readonly store: Pick<RegistryStore, "findRegistry" | "onChange">;
  readonly backbone: Pick<Backbone, "listRegistries" | "removeRegistry">;
  /** A removal failed; it is tried again at the next start, and nothing of it is delivered meanwhile. */
  readonly onFailure: (because: string) => void;
}

/** @returns `settled` when what was found at the start is removed (or told to have failed), and `stop`. */
export function removeDepartedRegistries(ports: DepartedRegistriesPorts): {
  readonly settled: Promise<void>;
  readonly stop: () => void;
} {
  const { store, backbone, onFailure } = ports;
  let isStopped = false;

  async function removeDeparted(isMeant: (known: RegistryRef) => boolean): Promise<void> {
    try {
      for (const known of await backbone.listRegistries()) {
        if (isStopped) return;
        if (!isMeant(known)) continue;
        const record = await store.findRegistry(known);
        if (record?.numId !== known.numId) await backbone.removeRegistry(known);
      }
    } catch (error) {
      if (isStopped) return;
      if (!(error instanceof StoreError)) throw error;
      onFailure(error.message);
    }
  }

  const stopListening = store.onChange(({ kind, registry }) => {
    if (kind !== "registry_deleted") return;
    void removeDeparted((known) => isSameName(known, registry));
  });
  return {
    settled: removeDeparted(() => true),
    stop() {
      isStopped = true;
      stopListening();
    },
  };
}

function isSameName(a: RegistryRef, b: RegistryRef): boolean {
  return a.project === b.project && a.location === b.location && a.registry === b.registry;
}

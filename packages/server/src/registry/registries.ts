/**
 * Registries: created, read, changed and deleted, within the places this server serves.
 *
 * Defaults belong to the door a registry came through, so they are the caller's: the v1 API says `iot-core`,
 * our own tools `strict`. The limits are this file's.
 */
import { formatRegistryName, parseRegistryId } from "@mayfly/core";
import type { RegistryPolicy } from "@mayfly/core/token";
import { checkPolicy, policyPresets } from "@mayfly/core/token";
import { RegistryError } from "./error.ts";
import type { KeyParser } from "./key-parser.ts";
import type { EventRetention, RegistryRecord, RegistryRef } from "./model.ts";
import type { Places } from "./places.ts";
import type { Page, RegistryPatch, RegistryStore } from "./store.ts";
import { isTopicName } from "./topic-name.ts";

export const EVENT_CONFIGS_MAX = 10;
export const REGISTRY_CREDENTIALS_MAX = 10;
export const RETENTION_AGE_SECONDS_MIN = 60;
export const RETENTION_AGE_SECONDS_MAX = 10 * 366 * 86_400;
export const RETENTION_BYTES_MIN = 1024 * 1024;
export const REGISTRY_PAGE_SIZE_MAX = 500;

export type RegistryInput = Omit<RegistryRecord, keyof RegistryRef | "numId" | "createdMs" | "updatedMs">;

/** Every method also throws {@link RegistryError} not_found for a closed project or location, and IdError. */
export interface Registries {
  /** @throws {RegistryError} argument_invalid. @throws {PolicyError} @throws {StoreError} already_exists */
  create(ref: RegistryRef, input: RegistryInput): Promise<RegistryRecord>;
  /** @throws {RegistryError} not_found */
  get(ref: RegistryRef): Promise<RegistryRecord>;
  list(
    parent: { readonly project: string; readonly location: string },
    page: { readonly size: number; readonly token?: string },
  ): Promise<Page<RegistryRecord>>;
  /** @throws {RegistryError} argument_invalid. @throws {PolicyError} @throws {StoreError} not_found */
  update(ref: RegistryRef, patch: RegistryPatch): Promise<RegistryRecord>;
  /** @throws {RegistryError} not_found. @throws {StoreError} not_empty */
  delete(ref: RegistryRef): Promise<void>;
}

export function createRegistries(ports: {
  readonly store: RegistryStore;
  readonly places: Places;
  readonly keyParser: KeyParser;
}): Registries {
  const { store, places } = ports;

  function check(patch: RegistryPatch): void {
    if (patch.policy !== undefined) checkPolicy(patch.policy);
    if (patch.retention !== undefined) checkRetention(patch.retention);
    const configs = patch.eventNotificationConfigs;
    if (configs !== undefined && configs.length > EVENT_CONFIGS_MAX) {
      throw new RegistryError(
        "argument_invalid",
        `A registry has at most ${EVENT_CONFIGS_MAX} event notification configs.`,
      );
    }
    for (const { pubsubTopicName } of configs ?? []) checkTopic(pubsubTopicName);
    const state = patch.stateNotificationTopic;
    if (state !== undefined && state !== "") checkTopic(state);
    const credentials = patch.credentials;
    if (credentials !== undefined) {
      if (credentials.length > REGISTRY_CREDENTIALS_MAX) {
        throw new RegistryError(
          "argument_invalid",
          `A registry has at most ${REGISTRY_CREDENTIALS_MAX} credentials.`,
        );
      }
      for (const pem of credentials) ports.keyParser.parseCertificate(pem);
    }
  }

  function open(ref: RegistryRef): void {
    places.checkLocation(ref.project, ref.location);
    parseRegistryId(ref.registry);
  }

  return {
    async create(ref, input) {
      open(ref);
      check(input);
      return store.createRegistry({
        ...input,
        project: ref.project,
        location: ref.location,
        registry: ref.registry,
      });
    },
    async get(ref) {
      open(ref);
      return (await store.findRegistry(ref)) ?? refuseUnknown(ref);
    },
    async list(parent, page) {
      places.checkLocation(parent.project, parent.location);
      return store.listRegistries(parent, page);
    },
    async update(ref, patch) {
      open(ref);
      check(patch);
      return store.updateRegistry(ref, patch);
    },
    async delete(ref) {
      open(ref);
      await store.deleteRegistry(ref);
    },
  };
}

/** A policy from a preset and what differs from it; `preset` alone resets every field. */
export function policyFrom(base: RegistryPolicy, change: Partial<RegistryPolicy>): RegistryPolicy {
  const start = change.preset === undefined ? base : policyPresets[change.preset];
  return { ...start, ...change };
}

function checkTopic(name: string): void {
  if (isTopicName(name)) return;
  throw new RegistryError(
    "argument_invalid",
    `The pubsub_topic_name '${name.slice(0, 100)}' is not of the form projects/{project}/topics/{topic}.`,
  );
}

function checkRetention(retention: EventRetention): void {
  const { ageSeconds, bytes } = retention;
  if (
    !Number.isInteger(ageSeconds) ||
    ageSeconds < RETENTION_AGE_SECONDS_MIN ||
    ageSeconds > RETENTION_AGE_SECONDS_MAX
  ) {
    throw new RegistryError(
      "argument_invalid",
      `retention.ageSeconds must be ${RETENTION_AGE_SECONDS_MIN} to ${RETENTION_AGE_SECONDS_MAX}.`,
    );
  }
  if (!Number.isSafeInteger(bytes) || bytes < RETENTION_BYTES_MIN) {
    throw new RegistryError("argument_invalid", `retention.bytes must be at least ${RETENTION_BYTES_MIN}.`);
  }
}

function refuseUnknown(ref: RegistryRef): never {
  throw new RegistryError("not_found", `Registry '${formatRegistryName(ref)}' not found.`);
}

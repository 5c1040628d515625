/**
 * The difference of two configurations, field by field, and whether a chip is configured as planned.
 */
import { type ConfigField, configFields } from "./config-field.ts";
import { type ConfigZone, encodeConfigZone } from "./config-zone.ts";

export interface ConfigDifference {
  readonly field: ConfigField;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** In words, for people. */
  readonly sentence: string;
}

/** @returns Every field whose bytes differ, in the order of the zone. */
export function diffConfigZones(before: ConfigZone, after: ConfigZone): readonly ConfigDifference[] {
  const from = encodeConfigZone(before);
  const to = encodeConfigZone(after);
  return configFields.flatMap((field) => {
    const old = from.slice(field.at, field.at + field.bytes);
    const next = to.slice(field.at, field.at + field.bytes);
    if (old.every((byte, i) => byte === next[i])) return [];
    const sentence = `${capital(field.name)} changes from ${hexText(old)} to ${hexText(next)} (byte ${field.at}).`;
    return [{ field, before: old, after: next, sentence }];
  });
}

/**
 * What still separates a chip from its planned configuration. While the zone is open that is all we write; once
 * it is locked a counter that has counted is no difference. UserExtra and locks are not part of a plan: those
 * bytes belong to other commands (but see the slot locks in `strand-rules.ts`).
 */
export function differencesFromPlan(
  chip: ConfigZone,
  planned: ConfigZone,
  state: "open" | "locked",
): readonly ConfigDifference[] {
  return diffConfigZones(chip, planned).filter(
    ({ field }) => field.by === "write" || (field.by === "counter" && state === "open"),
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** `81 20`: as the data sheets and our reference print bytes. */
export function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}

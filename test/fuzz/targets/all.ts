/** Every target, by name. */
import type { FuzzTarget } from "../target.ts";
import { openHttpTarget } from "./http.ts";
import { openMqttTarget } from "./mqtt.ts";
import { openNamesTarget } from "./names.ts";
import { openSessionTarget } from "./session.ts";
import { openTokenTarget } from "./token.ts";

export const fuzzTargets = {
  mqtt: openMqttTarget,
  session: openSessionTarget,
  token: openTokenTarget,
  http: openHttpTarget,
  names: openNamesTarget,
} as const satisfies Readonly<Record<string, () => Promise<FuzzTarget>>>;

export type FuzzTargetName = keyof typeof fuzzTargets;

export const fuzzTargetNames = Object.keys(fuzzTargets) as readonly FuzzTargetName[];

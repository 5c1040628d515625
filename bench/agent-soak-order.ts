/**
 * What the soak and its devices say to each other.
 */
import type { AgentStatus } from "@mayfly/device";

export interface SoakOrder {
  readonly name: {
    readonly project: string;
    readonly location: string;
    readonly registry: string;
    readonly device: string;
  };
  readonly port: number;
  /** Files. */
  readonly ca: string;
  readonly key: string;
  readonly mqtt: 4 | 5;
  readonly isEnveloped: boolean;
  readonly lifetimeSeconds: number;
  readonly perSecond: number;
}

export interface SoakFindings {
  readonly published: number;
  readonly refusedByOutbox: number;
  readonly acknowledged: number;
  readonly resent: number;
  readonly refusals: number;
  readonly renewalsBy: AgentStatus["renewalsBy"];
  readonly connects: number;
  /** As the agent itself counts it. */
  readonly credentialGapMillis: number;
  readonly longestAtRenewalMillis: number;
  readonly longestOtherwiseMillis: number;
}

/** A message's text: unique in a run. */
export function soakSequence({ name }: Pick<SoakOrder, "name">, sequence: number): string {
  return `${name.device} ${sequence}`;
}

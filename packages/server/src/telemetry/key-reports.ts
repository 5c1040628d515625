/**
 * Port: what devices say of their keys, apart from telemetry.
 *
 * Two names below `events` are the bridge's own. What comes there is judged and goes no further; it is acknowledged
 * when that is durable, as any message is. Implementation: `registry/key-offers.ts`.
 */
import { keyOfferSubfolder, resultSubfolder } from "@mayfly/core/instruction";
import type { DevicePrincipal } from "../auth/admission.ts";

export interface KeyReports {
  /**
   * @param payload Not kept after the call.
   * @returns Resolves when it was judged and that is durable. Rejects with StoreError where it could not be.
   */
  take(principal: DevicePrincipal, subfolder: string, payload: Uint8Array): Promise<void>;
}

export function isKeyReport(subfolder: string): boolean {
  return subfolder === keyOfferSubfolder || subfolder === resultSubfolder;
}

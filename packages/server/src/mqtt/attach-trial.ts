/**
 * One attach while it is judged: what is cheap first, and the device's token only where nothing else is missing.
 *
 * A token of the device is judged by the admission that judges its CONNECT. Failures count under the gateway
 * (`attach-limits.ts`).
 */
import type { Admission, AdmissionOutcome, DevicePrincipal } from "../auth/admission.ts";
import { principalOfNoToken } from "../auth/admission.ts";
import { type AttachmentRefusal, type AttachmentVerdict, judgeAttachment } from "../auth/attachment.ts";
import type { AttachmentRecord, GatewayStore } from "../registry/gateway-store.ts";
import type { LookUp } from "../registry/store.ts";
import type { LinkFacts } from "./observer.ts";

export interface AttachTrialPorts {
  readonly admission: Admission;
  readonly registry: Pick<GatewayStore, "lookUpAttachment">;
}

export interface AttachTrialRequest {
  readonly gateway: DevicePrincipal;
  /** String id or numId. */
  readonly device: string;
  /** "" where none was shown. */
  readonly token: string;
  readonly link: LinkFacts;
}

export type AttachOutcome =
  | { readonly kind: "attached"; readonly principal: DevicePrincipal }
  | Extract<AttachmentVerdict, { kind: "refused" }>;

/** What a token may mend. */
const lacksToken: ReadonlySet<AttachmentRefusal> = new Set(["token_missing", "association_alone_refused"]);

/** @param answer called exactly once, synchronously where the registry answers at once. */
export function judgeAttach(
  { admission, registry }: AttachTrialPorts,
  { gateway, device, token, link }: AttachTrialRequest,
  answer: (outcome: AttachOutcome) => void,
): void {
  const name = { ...gateway.registry, device };
  registry.lookUpAttachment(name, gateway.deviceId, (record) => {
    const verdict = judgeAttachment(gateway, record, undefined);
    if (token === "" || verdict.kind !== "refused" || !lacksToken.has(verdict.because)) {
      answer(outcomeOf(verdict, record));
      return;
    }
    const way = { bridge: "mqtt", purpose: "attach", peer: link } as const;
    admission.admitDeviceToken(
      { deviceName: name, token, ownAgent: false, ...way },
      (shown: AdmissionOutcome) => answer(outcomeOf(judgeAttachment(gateway, record, shown), record)),
    );
  });
}

function outcomeOf(verdict: AttachmentVerdict, record: LookUp<AttachmentRecord>): AttachOutcome {
  if (verdict.kind === "refused") return verdict;
  if (record === undefined || record === "unavailable")
    throw new Error("a device nobody looked up was allowed");
  const { principal = principalOfNoToken(record.registry, verdict.device) } = verdict;
  return { kind: "attached", principal };
}

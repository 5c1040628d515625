/**
 * Instructions between JSON and the domain: what an operator asks, and how it stands.
 */

import type { InstructionView } from "@mayfly/core/admin";
import { instructionSecondsMax, isName } from "@mayfly/core/instruction";
import type { InstructionRequest } from "../registry/instructions.ts";
import type { InstructionRecord } from "../registry/model.ts";
import { invalidField } from "./api-error.ts";
import { findInteger, findString, type JsonFields, readObject } from "./json-fields.ts";
import { formatMillis, formatSeconds } from "./timestamps.ts";

/** As the device numbers its keys. */
const slotMax = 254;

/** `{scope, slot | keyId, lifetimeSeconds?, campaign?}`. @throws {ApiError} INVALID_ARGUMENT */
export function readInstructionRequest(body: unknown): InstructionRequest {
  const fields = readObject(body ?? {}, "", ["scope", "slot", "keyId", "lifetimeSeconds", "campaign"]);
  const lifetimeSeconds = findInteger(fields, "lifetimeSeconds", 1, instructionSecondsMax);
  const campaign = findName(fields, "campaign");
  return {
    ...readOrder(fields),
    ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
    ...(campaign === undefined ? {} : { campaign }),
  };
}

function readOrder(fields: JsonFields): InstructionRequest {
  const scope = findString(fields, "scope");
  const slot = findInteger(fields, "slot", 0, slotMax);
  const keyId = findName(fields, "keyId");
  if (scope === "use-key" && slot !== undefined && keyId === undefined) return { scope, slot };
  if (scope === "use-key" && slot === undefined && keyId !== undefined) return { scope, keyId };
  if (scope === "offer-key" && slot !== undefined && keyId === undefined) return { scope, slot };
  throw invalidField(
    "scope",
    "An instruction is 'use-key' with a slot or a keyId, or 'offer-key' with a slot.",
  );
}

function findName(fields: JsonFields, name: "keyId" | "campaign"): string | undefined {
  const text = findString(fields, name);
  if (text === undefined || isName(text)) return text;
  throw invalidField(name, `${name} has 1 to 64 of A-Z a-z 0-9 - _.`);
}

export function formatInstructionRecord(record: InstructionRecord): InstructionView {
  return {
    number: record.number,
    scope: record.scope,
    ...(record.slot === undefined ? {} : { slot: record.slot }),
    ...(record.keyId === undefined ? {} : { keyId: record.keyId }),
    ...(record.campaign === undefined ? {} : { campaign: record.campaign }),
    issueTime: formatSeconds(record.issuedAtSeconds),
    expirationTime: formatSeconds(record.expiresAtSeconds),
    ...(record.outcome === undefined ? {} : { outcome: record.outcome }),
    ...(record.outcomeMs === undefined ? {} : { outcomeTime: formatMillis(record.outcomeMs) }),
    ...(record.offer === undefined ? {} : { offer: record.offer }),
  };
}

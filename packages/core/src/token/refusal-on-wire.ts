/**
 * What a refused peer is told, in one table.
 *
 * Every refusal looks the same, lest the answer tell a stranger which devices exist, which are blocked and
 * which keys they have. Only the two refusals a wrong clock causes are named, since naming them gives away
 * nothing but our own time and lets an honest device mend itself. The numbers are those firmware already
 * meets: CONNACK return code 5 and HTTP 403 for practically everything in Cloud IoT Core.
 */
import type { TokenErrorCode } from "./token-error.ts";

export interface RefusalOnWire {
  /** Reason Code of CONNACK, AUTH or DISCONNECT (MQTT 5.0 §2.4). */
  readonly mqtt5: number;
  /** CONNACK return code (MQTT 3.1.1 §3.2.2.3). */
  readonly mqtt311: number;
  readonly http: number;
  /** May the code itself be told (Reason String, body)? */
  readonly named: boolean;
}

const notAuthorized = { mqtt5: 0x87, mqtt311: 0x05, http: 403, named: false } as const;
const notAuthorizedByTime = { ...notAuthorized, named: true } as const;

export const refusalOnWire = {
  token_too_large: notAuthorized,
  token_malformed: notAuthorized,
  token_header_unsupported: notAuthorized,
  token_algorithm_unsupported: notAuthorized,
  token_claims_malformed: notAuthorized,
  token_from_future: notAuthorizedByTime,
  token_not_yet_valid: notAuthorized,
  token_lifetime_too_long: notAuthorized,
  token_expired: notAuthorizedByTime,
  token_audience_mismatch: notAuthorized,
  token_subject_missing: notAuthorized,
  token_subject_mismatch: notAuthorized,
  device_unknown: notAuthorized,
  device_blocked: notAuthorized,
  token_superseded: notAuthorized,
  key_none: notAuthorized,
  key_pending: notAuthorized,
  key_expired: notAuthorized,
  key_retired: notAuthorized,
  key_revoked: notAuthorized,
  token_signature_malformed: notAuthorized,
  token_signature_invalid: notAuthorized,
  failure_limit: notAuthorized,
} as const satisfies Record<TokenErrorCode, RefusalOnWire>;

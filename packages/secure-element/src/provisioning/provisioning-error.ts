/**
 * Why provisioning stopped: a closed set of codes. What the chip or the bus itself does wrong keeps the
 * driver's own error.
 */

export type ProvisioningErrorCode =
  | "config_zone_malformed"
  /** A slot's content is longer than the slot, or the address lies outside the zone. */
  | "zone_address_invalid"
  /** What was read back is not what was written. */
  | "write_not_kept"
  /** The chip refused a lock, or its lock byte still says "open" afterwards. */
  | "lock_refused"
  /** The dry run found that the lock would strand the device; see facts. */
  | "would_strand"
  /** The chip is not the one, or not as configured, that was planned for. */
  | "chip_unexpected"
  | "certificate_malformed"
  | "certificate_unrepresentable"
  | "attestation_malformed"
  | "possession_not_proved"
  /** The plan took more steps than any chip needs: something undoes our work. */
  | "no_progress";

/** Provisioning was refused or failed. `code` is stable; `message` is for people and may change. */
export class ProvisioningError extends Error {
  override readonly name = "ProvisioningError";
  readonly code: ProvisioningErrorCode;
  /** Facts fit for a log: never a key or a signature. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: ProvisioningErrorCode, message: string, facts: ProvisioningError["facts"] = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

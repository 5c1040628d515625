/**
 * Front door of provisioning: what a factory does to a chip, once.
 *
 * A device's bundle never enters here. No door gives a raw signature: keys are proved by statements whose encoder
 * is elsewhere, and attestations are signed by the chip over what it found out itself.
 */
export { attestationChallengeBytes, attestKey, type KeyAttestation } from "./attest-key.ts";
export {
  type CertificateTemplate,
  readCertificateTemplate,
  type TemplateTime,
} from "./certificate-template.ts";
export {
  computePublicKey,
  createKey,
  hasKey,
  readConfigZone,
  type SelfTestEngine,
  selfTest,
  updateExtra,
} from "./chip-commands.ts";
export {
  type ConfigOrder,
  composeConfigZone,
  configZoneFor,
  mayflyConfigOrder,
  mayflyImmutableConfigOrder,
  slotsOfKind,
} from "./compose-config-zone.ts";
export {
  type CompressedCertificate,
  compressedCertificateBytes,
  dateVersion,
  decodeCompressedCertificate,
  encodeCompressedCertificate,
  type IssueDate,
  type SerialNumberSource,
} from "./compressed-certificate.ts";
export { type ConfigField, configFields } from "./config-field.ts";
export {
  type ChipMode,
  type ChipOptions,
  type ConfiguredSlot,
  type ConfigZone,
  configZoneBytes,
  decodeConfigZone,
  encodeConfigZone,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
  type SecureBoot,
} from "./config-zone.ts";
export { type CounterField, counterMax, decodeCounter, encodeCounter } from "./counter-value.ts";
export { encodeDerSignature } from "./der.ts";
export { type ConfigDifference, diffConfigZones, differencesFromPlan } from "./diff-config-zones.ts";
export { type DryRun, dryRunLock } from "./dry-run.ts";
export { type Explanation, explainConfigZone } from "./explain-config-zone.ts";
export type { FactoryChip } from "./factory-chip.ts";
export { forecastProvisioning, type ProvisioningForecast } from "./forecast-provisioning.ts";
export { type FreezeOutcome, freezeSlot } from "./freeze-slot.ts";
export {
  decodeInternalMessage,
  encodeInternalMessage,
  type InternalMessage,
  internalMessageBytes,
  type TempKeyFlags,
} from "./internal-message.ts";
export { padPublicKey, unpadPublicKey } from "./padded-public-key.ts";
export { ProvisioningError, type ProvisioningErrorCode } from "./provisioning-error.ts";
export {
  type ChipObservation,
  chipSerialText,
  freshMemory,
  keySlots,
  type ProvisioningPlan,
  type ProvisioningStep,
  planProvisioning,
  rememberStep,
  type StationMemory,
  type WrittenContents,
} from "./provisioning-plan.ts";
export { readOtp, readSlot } from "./read-zones.ts";
export {
  buildTbsCertificate,
  type CertificateFacts,
  type CertificateHashes,
  rebuildCertificate,
  type UnsignedCertificate,
} from "./rebuild-certificate.ts";
export {
  type ChipIdentity,
  observeChip,
  type ProvisioningOutcome,
  type ProvisioningPorts,
  type ProvisioningReport,
  provisioningStepsMax,
  runProvisioning,
} from "./run-provisioning.ts";
export {
  decodeKeyConfig,
  decodeSlotConfig,
  encodeKeyConfig,
  encodeSlotConfig,
  type KeyConfig,
  type SlotConfig,
  type SlotRights,
  slotRights,
} from "./slot-config.ts";
export { composeSlot, type SlotRole } from "./slot-lifecycle.ts";
export {
  findStrandings,
  type LockAction,
  type StrandFacts,
  type StrandFinding,
  type StrandRule,
  strandRules,
} from "./strand-rules.ts";
export { configSummaryCrc, dataSummaryCrc, type ZoneContents } from "./summary-crc.ts";
export { overwriteSlot } from "./write-zones.ts";
export { slotBytes } from "./zone-address.ts";

/** What every store insists on before it writes keys: design §7a's "retiring: until its date" needs a date. */
import type { KeyRecord } from "../registry/model.ts";

/** @throws {Error} A retiring key without a date: a bug of the caller, since the domain lets none through. */
export function assertRetiringKeysDated(keys: readonly KeyRecord[]): void {
  const undated = keys.find((key) => key.state === "retiring" && key.expiresAtSeconds === undefined);
  if (undated !== undefined) throw new Error(`key ${undated.keyId} is retiring without a date`);
}

/**
 * The keys of the agent's service: in files, in a chip, or some of each; at most three, of which the first is in use
 * until an instruction says otherwise.
 *
 * The slots of one chip share its bus. Where the settings say so, spare slots of a chip may get new keys.
 */
import type { KeyMaker, SlotSigner } from "@mayfly/device";
import type { AgentServiceSettings, KeySettings } from "../agent-service/settings.ts";
import { type ChipNews, openAwaitedSigners } from "./awaited-signers.ts";
import type { LastingSigners } from "./chip.ts";
import { readText } from "./files.ts";
import type { SharedBuses } from "./shared-buses.ts";

export interface ServiceKeys {
  readonly keys: readonly SlotSigner[];
  readonly maker?: KeyMaker;
  close(): Promise<void>;
}

type ChipKey = Extract<KeySettings, { kind: "chip" }>;

/** @throws {CommandFailure} file_unreadable. @throws {SignerError} (rejects) A key file is none. */
export async function openServiceKeys(
  settings: Pick<AgentServiceSettings, "keys" | "makeKeys">,
  buses: SharedBuses,
  say: (news: ChipNews) => void,
): Promise<ServiceKeys> {
  const { createSoftwareSigner } = await import("@mayfly/device/node");
  const chips = new Map<string, LastingSigners>();
  const keys: SlotSigner[] = [];
  for (const key of settings.keys) {
    if (key.kind === "file") {
      keys.push({ slot: key.slot, signer: createSoftwareSigner(await readText(key.file)) });
      continue;
    }
    const name = nameOf(key);
    const chip = chips.get(name) ?? (await openChipKeys(settings.keys, name, buses, say));
    chips.set(name, chip);
    const found = chip.keys.find(({ slot }) => slot === key.slot);
    if (found !== undefined) keys.push(found);
  }
  const close = async (): Promise<void> => {
    await Promise.all([...chips.values()].map((chip) => chip.close()));
  };
  const maker = findMaker(settings, chips);
  return { keys, close, ...(maker === undefined ? undefined : { maker }) };
}

async function openChipKeys(
  keys: readonly KeySettings[],
  name: string,
  buses: SharedBuses,
  say: (news: ChipNews) => void,
): Promise<LastingSigners> {
  const own = keys.filter((key): key is ChipKey => key.kind === "chip" && nameOf(key) === name);
  const [first] = own;
  if (first === undefined) throw new Error(`no key is in ${name}`);
  const slots = own.map(({ slot }) => slot);
  return await openAwaitedSigners({ kind: first.bus, ...first.place }, slots, buses, say);
}

/** New keys are made in the chip of the first key, in the slots named beside it. */
function findMaker(
  { keys, makeKeys }: Pick<AgentServiceSettings, "keys" | "makeKeys">,
  chips: ReadonlyMap<string, LastingSigners>,
): KeyMaker | undefined {
  const [first, ...spare] = keys;
  if (makeKeys === undefined || first?.kind !== "chip") return undefined;
  const chip = chips.get(nameOf(first));
  if (chip === undefined) return undefined;
  const { attestationSlot } = makeKeys;
  return {
    slots: spare
      .filter((key) => key.kind === "chip" && nameOf(key) === nameOf(first))
      .map(({ slot }) => slot),
    make: (slot, challenge) => chip.make({ slot, attestationSlot, challenge }),
  };
}

function nameOf({ bus, place }: ChipKey): string {
  return `${bus} ${place.bus} ${place.address}`;
}

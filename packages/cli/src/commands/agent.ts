/**
 * `mayfly agent`: one device, its key in a file or in a chip, that publishes a counter and says how it fares.
 *
 * A device in a process: what the demo starts five of, and a stand-in for firmware that is not there yet.
 */
import { dirname, resolve } from "node:path";
import { isEventSubfolder } from "@mayfly/core";
import type { Agent, AgentOptions, KeyMaker, SlotSigner, TimeEvent } from "@mayfly/device";
import type { TlsTarget } from "@mayfly/device/node";
import type { Command } from "commander";
import { type AgentTimeFlags, type AgentTimeOrder, agentTimeOrderOf, withAgentTime } from "../agent-time.ts";
import { type ChipPlace, parseChipPlace } from "../chip-flags.ts";
import { registryOf } from "../connection.ts";
import type { AgentLine, AgentPayload } from "../demo/agent-line.ts";
import { SequenceSet } from "../demo/sequence-set.ts";
import { CommandFailure } from "../failure.ts";
import {
  durationSeconds,
  newCommand,
  outputOf,
  repeated,
  repeatedSlot,
  seconds,
  wholeNumber,
} from "../flags.ts";
import type { OpenTime } from "../host/agent-time.ts";
import { monotonicMillis, sleep, wallSeconds } from "../host/clock.ts";
import { findEndpoints, readEndpointsFile } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { readText } from "../host/files.ts";
import { SharedBuses } from "../host/shared-buses.ts";
import { anyAbort, standardInputEnd, stopSignal } from "../host/signals.ts";
import { splitKeyFlag } from "../key-flag.ts";
import { addAgentStatusCommand } from "./agent-status.ts";

/** How long an agent that was told to end waits for what is on its way. */
const DRAIN_MILLIS_MAX = 3_000;
/** As our chips are configured. */
const ATTESTATION_SLOT_DEFAULT = 1;
const REPORT_MILLIS = 1_000;

interface AgentFlags extends AgentTimeFlags {
  readonly json?: true;
  readonly config?: string;
  readonly endpoints?: string;
  readonly registry?: string;
  readonly device?: string;
  readonly key?: readonly string[];
  readonly chipSocket?: ChipPlace;
  readonly slot?: number;
  readonly spareSlot?: readonly number[];
  readonly makeKeys?: true;
  readonly attestationSlot?: number;
  readonly state?: string;
  readonly publishEvery: number;
  readonly lifetime: number;
  readonly firstRenewalAfter?: number;
  readonly subfolder?: string;
  readonly outbox?: string;
  readonly run: string;
  readonly mqtt: number;
  readonly stopWithStdin?: true;
}

export function addAgentCommand(program: Command): void {
  const agent = newCommand("agent", "be a device: keep a session, as a service or with a counter to publish");
  addAgentStatusCommand(agent);
  program.addCommand(
    withAgentTime(agent)
      .option(
        "--config <FILE>",
        "run as a service with these settings: other programs publish over its socket",
      )
      .option("--endpoints <FILE>", "endpoints.json of the server (default: of the data folder)")
      .option("--registry <REGISTRY>", "registry: id or full name (default: the one in the endpoints file)")
      .option("--device <ID>", "device id or numId (required without --config)")
      .option("--key <FILE:SLOT>", "private key in PEM, and its slot; may be repeated", repeated)
      .option(
        "--chip-socket <PATH|HOST:PORT>",
        "in place of --key: a chip behind a socket signs, with the slot of --slot (default: 0)",
        parseChipPlace,
      )
      .option("--slot <N>", "which of the keys signs (default: the first)", wholeNumber(0, 254))
      .option(
        "--spare-slot <N>",
        "a key it may be told to switch to: of --key or of the chip; may be given twice",
        repeatedSlot,
      )
      .option("--make-keys", "make new keys in the chip's spare slots when told to, and offer them")
      .option("--attestation-slot <N>", "the slot that attests them (default: 1)", wholeNumber(0, 15))
      .option(
        "--state <DIR>",
        "folder for what outlives a restart: which key is in use (default: nothing does)",
      )
      .option("--publish-every <SECONDS>", "time between two messages", seconds(0.01, 86_400), 1)
      .option("--lifetime <DURATION>", "lifetime of its tokens, such as 60s or 1h", durationSeconds, 3_600)
      .option(
        "--first-renewal-after <SECONDS>",
        "renew the first token after this long",
        wholeNumber(1, 86_400),
      )
      .option("--subfolder <SUBFOLDER>", "telemetry subfolder")
      .option(
        "--outbox <FOLDER>",
        "keep what is not acknowledged in this folder, through restarts (default: in memory)",
      )
      .option("--run <WORD>", "word carried in every message, to tell runs apart", "agent")
      .option("--mqtt <VERSION>", "4 is MQTT 3.1.1, 5 is MQTT 5.0", wholeNumber(4, 5), 5)
      .option(
        "--stop-with-stdin",
        "end when standard input closes, for programs that start agents of their own",
      )
      .action(runAgent),
  );
}

async function runAgent(flags: AgentFlags, command: Command): Promise<void> {
  const stop = flags.stopWithStdin === true ? anyAbort(stopSignal(), standardInputEnd()) : stopSignal();
  if (flags.config !== undefined) {
    await runService(flags.config, command, stop);
    return;
  }
  const { device } = flags;
  if (device === undefined) {
    throw new CommandFailure(
      "usage",
      "no device is named; give --device ID, or --config FILE to run as a service",
    );
  }
  const output = outputOf(flags);
  if (flags.subfolder !== undefined && !isEventSubfolder(flags.subfolder)) {
    throw new CommandFailure(
      "usage",
      `--subfolder ${flags.subfolder} is none: levels of two or more letters, digits and -._+~%, parted by /`,
    );
  }
  const endpoints =
    flags.endpoints === undefined
      ? await findEndpoints(environmentSettings().data)
      : await readEndpointsFile(flags.endpoints);
  if (endpoints === undefined) {
    throw new CommandFailure(
      "not_configured",
      "no server is known; name its endpoints.json with --endpoints",
    );
  }
  const key = chosenKey(flags);
  const caPem = await readText(endpoints.ca);
  const timeOrder = agentTimeOrderOf(flags, endpoints);
  const { agent, clock, release } = await createAgentWith(key, flags, timeOrder, output.remark, {
    ...hostAndPort(endpoints.mqtts),
    caPem,
    ...registryOf(flags, endpoints),
    device,
    // In 3.1.1 the Session is kept, so that a renewal hands it over.
    ...(flags.mqtt === 4 ? { protocolVersion: 4, cleanSession: false } : { protocolVersion: 5 }),
    lifetimeSeconds: flags.lifetime,
    // Whoever types a short lifetime means it.
    lifetimeFloorSeconds: Math.min(flags.lifetime, 3_600),
    ...(flags.firstRenewalAfter === undefined ? {} : { firstRenewalAfterSeconds: flags.firstRenewalAfter }),
    ...(key.slot === undefined ? {} : { slot: key.slot }),
  });

  let acked = new SequenceSet();
  const report = (): void => {
    const { state, keyId, slot, tokenRemainingSeconds, renewal, lastRefusal, ...status } = agent.status();
    const line: AgentLine = {
      at: new Date(wallSeconds() * 1000).toISOString(),
      id: device,
      state,
      ...(slot === undefined ? {} : { slot }),
      keyId,
      ...(tokenRemainingSeconds === undefined
        ? {}
        : { tokenRemainingSeconds: Math.floor(tokenRemainingSeconds) }),
      ...(renewal === undefined ? {} : { renewal }),
      renewals: status.renewals,
      connects: status.connects,
      sent: status.sent,
      acked: status.acknowledged,
      refused: status.refused,
      queued: status.queuedMessages,
      gapMs: Math.round(status.longestGapMillis),
      newlyAcked: acked.ranges(),
      ...(lastRefusal === undefined ? {} : { lastRefusal }),
      ...(clock === undefined ? {} : { clock: clock() }),
    };
    acked = new SequenceSet();
    output.result(line, () => describe(line));
  };

  // Whoever waits for the first connection need not wait for the next line.
  const stopListening = agent.onEvent(({ kind }) => {
    if (kind !== "connected") return;
    stopListening();
    report();
  });
  agent.start();
  let sequence = 0;
  let publishAt = monotonicMillis();
  // Half a period after the messages, when their acknowledgements are in.
  let reportAt = publishAt + REPORT_MILLIS / 2;
  while (!stop.aborted) {
    const now = monotonicMillis();
    if (now >= publishAt) {
      const payload: AgentPayload = {
        run: flags.run,
        sequence: sequence + 1,
        at: new Date(wallSeconds() * 1000).toISOString(),
      };
      const published = payload.sequence;
      const answer = agent.publish(Buffer.from(JSON.stringify(payload)), {
        // Numbers that begin anew with each run would be repeats to the bridge; an outbox makes ids that are not.
        ...(flags.outbox === undefined ? { messageId: `${flags.run}-${published}` } : {}),
        ...(flags.subfolder === undefined ? {} : { subfolder: flags.subfolder }),
      });
      // A full outbox is no message sent: the number is used when there is room again.
      if (answer.kind === "refused" && !answer.because.startsWith("outbox_")) {
        throw new CommandFailure("agent_refused", `the agent does not take the message: ${answer.because}`);
      }
      if (answer.kind === "accepted") {
        sequence = published;
        void answer.outcome.then((outcome) => {
          if (outcome.kind === "acknowledged") acked.add(published);
        });
      }
      publishAt = Math.max(publishAt + flags.publishEvery * 1000, now);
    }
    if (now >= reportAt) {
      report();
      reportAt = Math.max(reportAt + REPORT_MILLIS, now);
    }
    await sleep(Math.max(1, Math.min(publishAt, reportAt) - monotonicMillis()), stop);
  }

  const drainUntil = monotonicMillis() + DRAIN_MILLIS_MAX;
  while (agent.status().queuedMessages > 0 && monotonicMillis() < drainUntil) await sleep(20);
  agent.stop();
  report();
  await release();
}

/** The settings file says everything: a flag beside it would be a second opinion. */
async function runService(file: string, command: Command, stop: AbortSignal): Promise<void> {
  const given = command.options.filter(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" &&
      !["--config", "--json", "--stop-with-stdin"].includes(option.long ?? ""),
  );
  if (given.length > 0) {
    const flags = given.map(({ long }) => long).join(", ");
    throw new CommandFailure(
      "usage",
      `with --config the settings file says what ${flags} would; leave it out`,
    );
  }
  const [{ parseAgentServiceSettings }, { runAgentService }] = await Promise.all([
    import("../agent-service/settings.ts"),
    import("../host/agent-service.ts"),
  ]);
  await runAgentService(parseAgentServiceSettings(await readText(file), dirname(resolve(file))), stop);
}

/** What signs: a slot of key files or of a chip, and those it may be told to switch to. */
type ChosenKey = { readonly spareSlots: readonly number[] } & (
  | { readonly kind: "file"; readonly files: readonly KeyFile[]; readonly slot?: number }
  | {
      readonly kind: "chip";
      readonly place: ChipPlace;
      readonly slot: number;
      /** Absent: no keys are made. */
      readonly attestationSlot?: number;
    }
);

type KeyFile = ReturnType<typeof splitKeyFlag>;

interface ReadyAgent {
  readonly agent: Agent;
  /** How its clock fares, in words, where it keeps one by itself. */
  readonly clock?: () => string;
  release(): Promise<void>;
}

/** The agent, put together here from its ports: only this program knows which signers and which clock this machine has. */
async function createAgentWith(
  key: ChosenKey,
  folders: Pick<AgentFlags, "state" | "outbox">,
  timeOrder: AgentTimeOrder | undefined,
  remark: (text: string) => void,
  options: AgentOptions & TlsTarget,
): Promise<ReadyAgent> {
  const [device, node] = await Promise.all([import("@mayfly/device"), import("@mayfly/device/node")]);
  const rtc = timeOrder?.rtc;
  const buses = new SharedBuses(rtc && { kind: rtc.bus, bus: rtc.path });
  const { keys, maker, close } =
    key.kind === "file" ? await readSigners(key.files) : await openSigners(key, buses);
  const files = folders.state === undefined ? undefined : node.openFileStore(folders.state);
  const store = files ?? device.createMemoryStore();
  const [first] = keys;
  if (first === undefined) throw new CommandFailure("usage", "no key is named; give --key FILE:SLOT");
  let agent: Agent | undefined;
  const openTime = async (): Promise<OpenTime | undefined> => {
    if (timeOrder === undefined) return undefined;
    const { openAgentTime } = await import("../host/agent-time.ts");
    const isConnected = (): boolean => agent?.status().state === "connected";
    const tell = (event: TimeEvent): void => remark(`clock: ${JSON.stringify(event)}`);
    return await openAgentTime(timeOrder, isConnected, tell, store, buses);
  };
  const opened = await openTime().catch(async (error: unknown) => {
    // A chip's bus that is left open would keep the process.
    await close();
    await files?.close();
    throw error;
  });
  const ports = {
    clock: node.nodeClock,
    timers: node.nodeTimers,
    random: node.nodeRandom,
    sha256: node.nodeSha256,
    signer:
      keys.length === 1
        ? first.signer
        : device.createDeviceKeys(keys, { store, ...(maker === undefined ? {} : { maker }) }),
    time: opened?.time ?? node.nodeTime,
    store,
    connect: node.createTlsConnect(options),
    ...(folders.outbox === undefined ? {} : { outbox: node.openAgentOutbox(folders.outbox, options) }),
  };
  const bridge = `${options.host}:${options.port}`;
  agent = device.createAgent(ports, { bridge, ...options, wire: node.nodeWire });
  const ready = {
    agent,
    async release() {
      opened?.close();
      await close();
      await files?.close();
    },
  };
  if (opened === undefined) return ready;
  opened.time.start();
  return { ...ready, clock: () => device.timeWords(opened.time.status()) };
}

interface Signers {
  readonly keys: readonly SlotSigner[];
  readonly maker?: KeyMaker;
  close(): Promise<void>;
}

async function readSigners(files: readonly KeyFile[]): Promise<Signers> {
  const { createSoftwareSigner } = await import("@mayfly/device/node");
  const keys: SlotSigner[] = [];
  for (const { file, slot = 0 } of files)
    keys.push({ slot, signer: createSoftwareSigner(await readText(file)) });
  return { keys, close: async () => {} };
}

async function openSigners(key: Extract<ChosenKey, { kind: "chip" }>, buses: SharedBuses): Promise<Signers> {
  const { place, slot, spareSlots, attestationSlot } = key;
  const { openLastingSigners } = await import("../host/chip.ts");
  const chip = await openLastingSigners({ kind: "socket", ...place }, [slot, ...spareSlots], buses);
  if (attestationSlot === undefined) return chip;
  const maker: KeyMaker = {
    slots: spareSlots,
    make: (spare, challenge) => chip.make({ slot: spare, attestationSlot, challenge }),
  };
  return { keys: chip.keys, maker, close: () => chip.close() };
}

function chosenKey(flags: AgentFlags): ChosenKey {
  const { key: files, chipSocket: place, spareSlot: spareSlots = [] } = flags;
  if (place !== undefined) {
    if (files !== undefined)
      throw new CommandFailure("usage", "--key and --chip-socket both name a key; give one");
    const slot = flags.slot ?? 0;
    for (const one of [slot, ...spareSlots]) {
      if (one > 15) throw new CommandFailure("usage", `slot ${one} is none: a chip's slots are 0 to 15`);
    }
    checkSlots([slot, ...spareSlots]);
    const chip = { kind: "chip", place, slot, spareSlots } as const;
    if (flags.makeKeys !== true) return chip;
    if (spareSlots.length === 0) throw new CommandFailure("usage", "--make-keys needs a --spare-slot");
    return { ...chip, attestationSlot: flags.attestationSlot ?? ATTESTATION_SLOT_DEFAULT };
  }
  if (flags.makeKeys === true) throw new CommandFailure("usage", "--make-keys needs a chip: --chip-socket");
  if (files === undefined) {
    throw new CommandFailure("usage", "no key is named; give --key FILE:SLOT or --chip-socket PATH");
  }
  const keys = files.map(splitKeyFlag);
  const find = (slot: number): KeyFile => {
    const key = keys.find((one) => one.slot === slot);
    if (key !== undefined) return key;
    throw new CommandFailure("usage", `no --key is for slot ${slot}; write it as FILE:SLOT`);
  };
  const key = flags.slot === undefined ? keys[0] : find(flags.slot);
  if (key === undefined) throw new CommandFailure("usage", "no key is named; give --key FILE:SLOT");
  const chosen = [key, ...spareSlots.map(find)];
  checkSlots(chosen.map(({ slot = 0 }) => slot));
  return { kind: "file", files: chosen, spareSlots, ...(key.slot === undefined ? {} : { slot: key.slot }) };
}

function checkSlots(slots: readonly number[]): void {
  if (slots.length > 3) throw new CommandFailure("usage", "a device has three keys at most");
  if (new Set(slots).size < slots.length) {
    throw new CommandFailure("usage", "--slot and --spare-slot name one slot twice");
  }
}

/** `host:port`, an IPv6 host in brackets. */
function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const url = new URL(`mqtts://${text}`);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port) };
}

function describe(line: AgentLine): string {
  const token =
    line.tokenRemainingSeconds === undefined ? "no token yet" : `token ${line.tokenRemainingSeconds} s`;
  const refusal = line.lastRefusal === undefined ? "" : `  refused: ${line.lastRefusal}`;
  const clock = line.clock === undefined ? "" : `  clock ${line.clock}`;
  return (
    `${line.at}  ${line.id}  ${line.state}  slot ${line.slot ?? "-"}  ${token}  ` +
    `renewals ${line.renewals} by ${line.renewal ?? "-"}  sent ${line.sent}  acked ${line.acked}  gap ${line.gapMs} ms${refusal}${clock}`
  );
}

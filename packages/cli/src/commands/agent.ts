/**
 * `mayfly agent`: one device, its key in a file or in a chip, that publishes a counter and says how it fares.
 *
 * A device in a process: what the demo starts five of, and a stand-in for firmware that is not there yet.
 */
import { dirname, resolve } from "node:path";
import { isEventSubfolder } from "@mayfly/core";
import type { Agent, AgentOptions, AgentSigner } from "@mayfly/device";
import type { TlsTarget } from "@mayfly/device/node";
import type { Command } from "commander";
import { type AgentTimeFlags, type AgentTimeOrder, agentTimeOrderOf, withAgentTime } from "../agent-time.ts";
import { type ChipPlace, parseChipPlace } from "../chip-flags.ts";
import { registryOf } from "../connection.ts";
import type { AgentLine, AgentPayload } from "../demo/agent-line.ts";
import { SequenceSet } from "../demo/sequence-set.ts";
import { CommandFailure } from "../failure.ts";
import { durationSeconds, newCommand, outputOf, repeated, seconds, wholeNumber } from "../flags.ts";
import { monotonicMillis, sleep, wallSeconds } from "../host/clock.ts";
import { findEndpoints, readEndpointsFile } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { readText } from "../host/files.ts";
import { anyAbort, standardInputEnd, stopSignal } from "../host/signals.ts";
import { splitKeyFlag } from "../key-flag.ts";
import { addAgentStatusCommand } from "./agent-status.ts";

/** How long an agent that was told to end waits for what is on its way. */
const DRAIN_MILLIS_MAX = 3_000;
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
      .option("--slot <N>", "which of the keys signs (default: the first)", wholeNumber(0, 255))
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
  const { agent, clock, release } = await createAgentWith(key, flags.outbox, timeOrder, output.remark, {
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

/** What signs: a key file, or a slot of a chip. */
type ChosenKey =
  | { readonly kind: "file"; readonly file: string; readonly slot?: number }
  | { readonly kind: "chip"; readonly place: ChipPlace; readonly slot: number };

interface ReadyAgent {
  readonly agent: Agent;
  /** How its clock fares, in words, where it keeps one by itself. */
  readonly clock?: () => string;
  release(): Promise<void>;
}

/** The agent, put together here from its ports: only this program knows which signer and which clock this machine has. */
async function createAgentWith(
  key: ChosenKey,
  outboxFolder: string | undefined,
  timeOrder: AgentTimeOrder | undefined,
  remark: (text: string) => void,
  options: AgentOptions & TlsTarget,
): Promise<ReadyAgent> {
  const [node, { createAgent, timeWords }] = await Promise.all([
    import("@mayfly/device/node"),
    import("@mayfly/device"),
  ]);
  const signer = await openSigner(key, node.createSoftwareSigner);
  let agent: Agent | undefined;
  const opened =
    timeOrder === undefined
      ? undefined
      : await (await import("../host/agent-time.ts")).openAgentTime(
          timeOrder,
          () => agent?.status().state === "connected",
          (event) => remark(`clock: ${JSON.stringify(event)}`),
        );
  const ports = {
    clock: node.nodeClock,
    timers: node.nodeTimers,
    random: node.nodeRandom,
    sha256: node.nodeSha256,
    signer: signer.signer,
    time: opened?.time ?? node.nodeTime,
    connect: node.createTlsConnect(options),
    ...(outboxFolder === undefined ? {} : { outbox: node.openAgentOutbox(outboxFolder, options) }),
  };
  const bridge = `${options.host}:${options.port}`;
  agent = createAgent(ports, { bridge, ...options, wire: node.nodeWire });
  const ready = {
    agent,
    async release() {
      await opened?.close();
      await signer.close();
    },
  };
  if (opened === undefined) return ready;
  opened.time.start();
  return { ...ready, clock: () => timeWords(opened.time.status()) };
}

interface OpenSigner {
  readonly signer: AgentSigner;
  close(): Promise<void>;
}

async function openSigner(
  key: ChosenKey,
  createSoftwareSigner: (pem: string) => AgentSigner,
): Promise<OpenSigner> {
  if (key.kind === "file")
    return { signer: createSoftwareSigner(await readText(key.file)), close: async () => {} };
  const { openLastingSigner } = await import("../host/chip.ts");
  const signer = await openLastingSigner({ kind: "socket", ...key.place }, key.slot);
  return { signer, close: () => signer.close() };
}

function chosenKey(flags: AgentFlags): ChosenKey {
  const { key: files, chipSocket: place } = flags;
  if (place !== undefined) {
    if (files !== undefined)
      throw new CommandFailure("usage", "--key and --chip-socket both name a key; give one");
    const slot = flags.slot ?? 0;
    if (slot > 15) throw new CommandFailure("usage", `--slot ${slot} is none: a chip's slots are 0 to 15`);
    return { kind: "chip", place, slot };
  }
  if (files === undefined) {
    throw new CommandFailure("usage", "no key is named; give --key FILE:SLOT or --chip-socket PATH");
  }
  const keys = files.map(splitKeyFlag);
  const key = flags.slot === undefined ? keys[0] : keys.find(({ slot }) => slot === flags.slot);
  if (key === undefined)
    throw new CommandFailure("usage", `no --key is for slot ${flags.slot}; write it as FILE:SLOT`);
  return { kind: "file", ...key };
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

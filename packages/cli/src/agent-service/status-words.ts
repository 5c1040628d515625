/**
 * The agent's status in sentences, for the person who stands before the device.
 *
 * The first line says how things stand and what is wrong, the second what the agent does about it; the rest is facts.
 *
 * Left to others: what is wrong in words (`trouble-words.ts`).
 */
import { type AgentState, type AgentStatus, type TimeStatus, timeWords } from "@mayfly/device";
import { formatDuration } from "../output.ts";
import { describeTrouble } from "./trouble-words.ts";

/** What the service knows beside the agent. */
export interface ServiceFacts {
  readonly device: string;
  /** `host:port`. */
  readonly bridge: string;
  readonly mqtt: 4 | 5;
  readonly upSeconds: number;
  readonly commandsWaiting: number;
  readonly commandsTaken: number;
}

/** What `GET /v1/status` answers. */
export interface ServiceStatus extends ServiceFacts {
  readonly agent: AgentStatus;
  /** Where the agent keeps its time by itself. */
  readonly clock?: TimeStatus;
}

/** Where nothing is wrong. */
const stateSentences = {
  stopped: "The agent has ended.",
  waiting_for_clock: "Not connected: it signs nothing until it has a clock it can believe.",
  minting: "Not connected yet: a token is being signed.",
  connecting: "Not connected yet: a connection is being made.",
  connected: "Connected.",
  renewing: "Connected; the next token is being put to use.",
  backing_off: "Not connected: it tries again after a pause.",
} as const satisfies Record<AgentState, string>;

const outboxSentences = {
  outbox_busy: "The disk is behind: new messages wait for it.",
  outbox_disk_full:
    "New messages are refused: the disk is full. What was accepted is kept, and goes on its way.",
  outbox_disk_failed: "New messages are refused: the disk does not keep what it is given.",
} as const satisfies Record<NonNullable<AgentStatus["outboxTrouble"]>, string>;
const renewalWords = {
  reauthentication: "within the connection, no message waits",
  handover: "by a second connection that takes the Session over",
  reconnect: "by a second connection that begins anew",
} as const;

/** @returns Lines, without a line's end. */
export function describeStatus(status: ServiceStatus): readonly string[] {
  const { agent } = status;
  return [
    ...headlines(agent),
    ...present(agent.outboxTrouble, (trouble) => outboxSentences[trouble]),
    "",
    `Device    ${status.device}`,
    `Bridge    ${status.bridge}, MQTT ${status.mqtt === 5 ? "5.0" : "3.1.1"}, up ${formatDuration(status.upSeconds)}, ${plural(agent.connects, "connection")} so far`,
    `Key       ${agent.slot === undefined ? "" : `slot ${agent.slot}, `}${agent.keyId}`,
    `Token     ${tokenWords(agent)}`,
    `Renewals  ${renewalsWords(agent)}`,
    ...present(status.clock, (clock) => `Clock     ${timeWords(clock)}`),
    `Outbox    ${outboxWords(agent)}`,
    ...present(agent.lastRefusal, (words) => `Refused   last because: ${words}`),
    ...(status.commandsWaiting + status.commandsTaken === 0
      ? []
      : [
          `Commands  ${status.commandsWaiting} wait for a program, ${status.commandsTaken} are being carried out`,
        ]),
  ];
}

/** How things stand, and what the agent does about it. */
function headlines(agent: AgentStatus): readonly string[] {
  const { state, trouble, waitingBecause, unansweredSeconds } = agent;
  const isConnected = state === "connected" || state === "renewing";
  if (state === "stopped") return [stateSentences.stopped];
  if (waitingBecause !== undefined) {
    const trust = `signs nothing until it has a clock it can believe: ${waitingBecause}`;
    return isConnected
      ? [`Connected, but it ${trust}.`, `The present token serves on: ${tokenWords(agent)}.`]
      : [`Not connected: it ${trust}.`, `It asks its clock again every second${whatWaits(agent)}.`];
  }
  if (trouble !== undefined) {
    const what = describeTrouble(trouble);
    return isConnected
      ? [
          `Connected, but the next token is not in use yet: ${what}.`,
          `${nextTry(agent)}; the present token serves on: ${tokenWords(agent)}.`,
        ]
      : [`Not connected: ${what}.`, `${nextTry(agent)}${whatWaits(agent)}.`];
  }
  if (isConnected && unansweredSeconds !== undefined && unansweredSeconds >= 1) {
    const since = formatDuration(unansweredSeconds);
    return [
      `Connected, perhaps no longer: the bridge has not answered for ${since}.`,
      `If that lasts it gives the connection up and makes another${whatWaits(agent)}.`,
    ];
  }
  return [stateSentences[state]];
}

function nextTry({ retry }: AgentStatus): string {
  if (retry === undefined) return "It is trying now";
  // A wait that is over counts as a second: it is about to end.
  return `It tries again in ${formatDuration(Math.max(1, retry.inSeconds))}`;
}

/** Of use to know in an outage: that nothing is lost by waiting. */
function whatWaits({ queuedMessages }: AgentStatus): string {
  return queuedMessages === 0 ? "" : `; ${plural(queuedMessages, "message")} kept for then`;
}

function tokenWords({ tokenRemainingSeconds }: AgentStatus): string {
  if (tokenRemainingSeconds === undefined) return "none yet";
  if (tokenRemainingSeconds <= 0) return "run out";
  return `good for another ${formatDuration(tokenRemainingSeconds)}`;
}

function renewalsWords({ renewals, renewal, longestGapMillis }: AgentStatus): string {
  const gap = `the longest wait for a message because of one ${Math.round(longestGapMillis)} ms`;
  const next = renewal === undefined ? "" : `; the next ${renewalWords[renewal]}`;
  return `${renewals} so far, ${gap}${next}`;
}

function outboxWords({ queuedMessages, queuedBytes, acknowledged, refused, dropped }: AgentStatus): string {
  const given = dropped === 0 ? "" : `, ${dropped} given up for newer ones`;
  return `${plural(queuedMessages, "message")} waiting (${queuedBytes} bytes), ${acknowledged} acknowledged, ${refused} refused${given}`;
}

function present<T>(value: T | undefined, words: (value: T) => string): readonly string[] {
  return value === undefined ? [] : [words(value)];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

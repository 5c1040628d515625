/**
 * The oracle's book of what goes to devices: commands and configs.
 *
 * A command is recognised by its payload, which is used once, a config by its version in the payload. So nothing
 * here needs to know how the bridge keeps them apart.
 */
import { type CommandNote, type DeviceNote, expect, type SocketNote } from "./notes.ts";

/** design §9. */
const windowMax = 20;
/** How long what was not sent to a peer that does not read may be owed. */
const retryMillis = 5_000;

export interface Arrived {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly dup: boolean;
  readonly packetIdentifier: number | undefined;
}

/** A PUBLISH was written on `socket`. */
export function checkPublish(socket: SocketNote, arrived: Arrived): void {
  const { topic, payload, qos, packetIdentifier } = arrived;
  const what = `"${payload}" on ${socket.name}`;
  expect(qos < 2, `${what} at QoS ${qos}`);
  if (qos === 0) expect(!arrived.dup, `${what} with DUP at QoS 0 [MQTT-3.3.1-2]`);
  const root = `/devices/${socket.device.name}`;
  if (topic === `${root}/config`) {
    checkConfig(socket, arrived, what);
  } else {
    expect(topic === `${root}/commands/sub` || topic === `${root}/commands`, `${what} to ${topic}`);
    checkCommand(socket, arrived, what);
  }
  if (packetIdentifier === undefined || qos === 0) return;
  expect(
    !socket.inFlight.has(packetIdentifier),
    `${what} takes Packet Identifier ${packetIdentifier}, in flight for another [MQTT-2.2.1-4]`,
  );
  socket.inFlight.set(
    packetIdentifier,
    findCommand(socket.device, payload) ?? { configVersion: versionOf(payload) },
  );
  const max = windowOf(socket);
  expect(socket.inFlight.size <= max, `${what}: ${socket.inFlight.size} in flight, at most ${max} may be`);
}

/** A PUBACK of the peer arrives on a live `socket`. */
export function acknowledge(socket: SocketNote, packetIdentifier: number): void {
  const item = socket.inFlight.get(packetIdentifier);
  if (item === undefined) return;
  socket.inFlight.delete(packetIdentifier);
  if ("payload" in item) item.isAcknowledged = true;
  else {
    socket.device.configAcknowledged = Math.max(socket.device.configAcknowledged, item.configVersion);
  }
}

/** The bridge told the sender what came of a command. */
export function checkOutcome(command: CommandNote, outcome: string, nowMillis: number): void {
  const what = `command "${command.payload}" answered ${outcome}`;
  expect(command.outcome === undefined, `${what} after ${command.outcome}`);
  command.outcome = outcome;
  const { live } = command.device;
  switch (outcome) {
    case "delivered":
      // At QoS 0 it left; that is seen when the turn is over.
      expect(command.isAcknowledged || live?.session?.commands === 0, `${what}, which nobody acknowledged`);
      return;
    case "queued":
      expect(command.order > 0, `${what}, which the store has not got`);
      return;
    case "timed_out":
      expect(nowMillis >= command.sentMillis + 5_000, `${what} too early`);
      expect(!command.isAcknowledged, `${what}, which was acknowledged`);
      return;
    case "not_subscribed":
    case "not_connected":
    case "connection_lost":
    case "too_many":
    case "store_unavailable":
      expect(!command.isAcknowledged, `${what}, which was acknowledged`);
      return;
    default:
      expect(false, `${what}, an outcome the oracle does not know`);
  }
}

/** What is owed to a live connection when nothing is under way and everything it could send was sent. */
export function checkNothingOwed(socket: SocketNote, nowMillis: number, bufferedBytes: number): void {
  const { session, device } = socket;
  if (session === undefined || session.isUncertain || !socket.isConnacked) return;
  if (bufferedBytes > 0 || nowMillis < socket.fullMillis + retryMillis + 1) return;
  if (socket.subscribes.length + socket.unsubscribes.length > 0) return;
  if (socket.inFlight.size >= windowOf(socket)) return;
  for (const command of device.commands) {
    const isOwed =
      command.session === session &&
      command.outcome === "queued" &&
      !command.isAcknowledged &&
      !session.isOver;
    if (isOwed) {
      expect(
        command.writtenOn.includes(socket),
        `command "${command.payload}" was queued, and is not sent on ${socket.name}, which has its Session`,
      );
    }
  }
  if (session.config === undefined || socket.cutByMillis !== Number.POSITIVE_INFINITY) return;
  const inFlight = [...socket.inFlight.values()].some((item) => "configVersion" in item);
  const newest = device.configVersion;
  // A Session that is resumed does not bring again what the device acknowledged before.
  const isPassedOver = socket.isResumed && device.configAcknowledged >= newest;
  expect(
    inFlight || session.configHad >= newest || socket.configWritten >= newest || isPassedOver,
    `config ${newest} is not sent on ${socket.name}, which is subscribed (has ${session.configHad}, acknowledged ${device.configAcknowledged})`,
  );
}

function checkCommand(socket: SocketNote, { payload, qos, dup }: Arrived, what: string): void {
  const command = findCommand(socket.device, payload);
  expect(command !== undefined, `${what} was never sent`);
  const { session } = socket;
  expect(session !== undefined, `${what} without a Session`);
  expect(!command.isAcknowledged, `${what} again, although it was acknowledged`);
  expect(!command.writtenOn.includes(socket), `${what} twice on one connection`);
  if (command.session === undefined) command.session = session;
  expect(command.session === session, `${what} belongs to a Session that is over`);
  const isRepeat = command.writtenOn.length > 0;
  if (qos === 1 && isRepeat && !session.isUncertain) expect(dup, `${what} again without DUP [MQTT-3.3.1-1]`);
  if (dup) expect(command.mayHaveBeenSent || isRepeat, `${what} for the first time with DUP`);
  if (qos === 1 && session.isKept) {
    expect(command.order > 0, `${what} before the store has it`);
    expect(command.order > socket.lastOrder, `${what} out of order [MQTT-4.6.0-6]`);
    socket.lastOrder = command.order;
  }
  if (command.order === 0) expect(command.wasSubscribed, `${what} without a subscription`);
  command.writtenOn.push(socket);
}

function checkConfig(socket: SocketNote, { payload, qos }: Arrived, what: string): void {
  const version = versionOf(payload);
  // What was looked up for a device that is no more may still be on its way.
  const isSame = socket.generation === socket.device.registered.generation;
  expect(!isSame || version <= socket.device.configVersion, `${what} does not exist yet`);
  expect(version >= socket.configWritten, `${what} after version ${socket.configWritten}`);
  const { session } = socket;
  // What was in flight before may be sent again whatever became of the subscription.
  expect(session !== undefined, `${what} without a Session`);
  socket.configWritten = version;
  if (qos === 0) session.configHad = Math.max(session.configHad, version);
}

export function findCommand(device: DeviceNote, payload: string): CommandNote | undefined {
  return device.commands.find((command) => command.payload === payload);
}

function versionOf(payload: string): number {
  return payload === "" ? 1 : Number(payload.split(" ")[1]);
}

function windowOf(socket: SocketNote): number {
  return Math.min(windowMax, socket.asked?.receiveMaximum ?? windowMax);
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceStateVersion } from "../registry/model.ts";
import { StoreError, type StoreErrorCode } from "../registry/store.ts";
import type { TelemetryMessage } from "./backbone.ts";
import { createIntake, eventBytesMax, type IntakeOutcome, stateBytesMax } from "./intake.ts";

const principal = {
  registry: { project: "mayfly", location: "here", registry: "greenhouse" },
  registryNumId: "1",
  deviceId: "fern",
  deviceNumId: "2",
  routes: { eventNotificationConfigs: [], stateNotificationTopic: "" },
} as Partial<DevicePrincipal> as DevicePrincipal;
const clock = { monotonicMillis: () => 0, wallSeconds: () => 1_700_000_000.5 };

function intakeOver(appendState: (state: DeviceStateVersion) => Promise<void>) {
  const appended: TelemetryMessage[] = [];
  const intake = createIntake({
    clock,
    registry: { appendState: (_, state) => appendState(state) },
    backbone: { append: (message) => void appended.push(message) },
  });
  return { intake, appended };
}

test("an event carries its device, its instant and the device's own id to the backbone", () => {
  const { intake, appended } = intakeOver(async () => undefined);
  const payload = Uint8Array.of(1);

  intake.takeEvent(principal, { subfolder: "air", payload, deviceMessageId: "7" }, () => undefined);

  assert.deepEqual(appended, [
    {
      registry: { ...principal.registry, numId: "1" },
      deviceId: "fern",
      deviceNumId: "2",
      subfolder: "air",
      payload,
      publishMs: 1_700_000_000_500,
      deviceMessageId: "7",
    },
  ]);
});

test("an event sent again with its id goes to the backbone once; without an id each copy goes", () => {
  const { intake, appended } = intakeOver(async () => undefined);
  const event = { subfolder: "air", payload: Uint8Array.of(1) };

  for (let copy = 0; copy < 2; copy += 1) {
    intake.takeEvent(principal, { ...event, deviceMessageId: "7" }, () => undefined);
    intake.takeEvent(principal, event, () => undefined);
  }

  assert.deepEqual(
    appended.map(({ deviceMessageId }) => deviceMessageId),
    ["7", undefined, undefined],
  );
});

const topic = (name: string) => `projects/mayfly/topics/${name}`;
const routed: DevicePrincipal = {
  ...principal,
  routes: {
    eventNotificationConfigs: [{ subfolderMatches: "air", pubsubTopicName: topic("air") }],
    stateNotificationTopic: topic("states"),
  },
};

test("an event is routed when it is taken, and kept without a topic where no config matches", () => {
  const { intake, appended } = intakeOver(async () => undefined);

  for (const subfolder of ["air", "soil"])
    intake.takeEvent(routed, { subfolder, payload: new Uint8Array(), gatewayId: "hub" }, () => undefined);

  assert.deepEqual(
    appended.map((message) => [message.subfolder, message.topic, message.gatewayId]),
    [
      ["air", topic("air"), "hub"],
      ["soil", undefined, "hub"],
    ],
  );
});

test("a state that is durable goes to the registry's state topic, marked as a state; its answer does not wait", async () => {
  const { intake, appended } = intakeOver(async () => undefined);

  const outcome = await new Promise<IntakeOutcome>((done) => {
    intake.takeState(routed, Uint8Array.of(9), done);
  });

  assert.deepEqual(outcome, { kind: "durable" });
  assert.deepEqual(
    appended.map(({ topic: to, kind, subfolder, payload }) => [to, kind, subfolder, [...payload]]),
    [[topic("states"), "state", "", [9]]],
  );
});

test("a state the registry did not take goes to no topic, and neither does one of a registry without", async () => {
  const refusing = intakeOver(() => Promise.reject(new StoreError("disk_full", "no")));
  const taking = intakeOver(async () => undefined);

  await new Promise((done) => refusing.intake.takeState(routed, new Uint8Array(), done));
  await new Promise((done) => taking.intake.takeState(principal, new Uint8Array(), done));

  assert.deepEqual([refusing.appended, taking.appended], [[], []]);
});

test("a state whose topic cannot be told is still durable, and the loss is counted", async () => {
  const untold: string[] = [];
  const intake = createIntake({
    clock,
    registry: { appendState: async () => undefined },
    backbone: { append: (_, done) => done({ kind: "refused", because: "queue_full" }) },
    onStateUntold: (because) => void untold.push(because),
  });

  const outcome = await new Promise<IntakeOutcome>((done) =>
    intake.takeState(routed, new Uint8Array(), done),
  );
  await Promise.resolve();

  assert.deepEqual([outcome, untold], [{ kind: "durable" }, ["queue_full"]]);
});

test("what is too large is refused before the store hears of it", () => {
  const { intake, appended } = intakeOver(() => Promise.reject(new Error("asked")));
  const outcomes: IntakeOutcome[] = [];
  const note = (outcome: IntakeOutcome) => void outcomes.push(outcome);

  intake.takeEvent(principal, { subfolder: "", payload: new Uint8Array(eventBytesMax + 1) }, note);
  intake.takeState(principal, new Uint8Array(stateBytesMax + 1), note);

  const refused = { kind: "refused", because: "payload_too_large" };
  assert.deepEqual([outcomes, appended], [[refused, refused], []]);
});

test("a state is durable when the registry says so, and is a copy of what came", async () => {
  let stored: DeviceStateVersion | undefined;
  const { intake } = intakeOver(async (state) => {
    stored = state;
  });
  const payload = Uint8Array.of(1, 2);

  const outcome = await new Promise<IntakeOutcome>((done) => {
    intake.takeState(principal, payload, done);
    payload.fill(0);
  });

  assert.deepEqual(outcome, { kind: "durable" });
  assert.deepEqual(stored, { updateMs: 1_700_000_000_500, binaryData: Uint8Array.of(1, 2) });
});

test("why a state was not taken is told in the words of the intake", async () => {
  const codes: readonly StoreErrorCode[] = ["not_found", "disk_full", "closed", "locked"];

  const answers = await Promise.all(
    codes.map((code) => {
      const { intake } = intakeOver(() => Promise.reject(new StoreError(code, "no")));
      return new Promise<IntakeOutcome>((done) => intake.takeState(principal, new Uint8Array(0), done));
    }),
  );

  assert.deepEqual(
    answers.map((answer) => answer.kind === "refused" && answer.because),
    ["device_gone", "disk_full", "closed", "store_failed"],
  );
});

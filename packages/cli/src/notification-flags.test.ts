import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "./failure.ts";
import { fullTopic, notificationsOf, policyFieldsOf } from "./notification-flags.ts";

test("event configs are read as gcloud wrote them, in their order; a short topic is the project's", () => {
  const flags = {
    eventNotificationConfig: ["topic=alerts,subfolder=alerts/fire", "topic=projects/other/topics/all"],
    statePubsubTopic: "states",
  };

  assert.deepEqual(notificationsOf(flags, "lab"), {
    eventNotificationConfigs: [
      { subfolderMatches: "alerts/fire", pubsubTopicName: "projects/lab/topics/alerts" },
      { subfolderMatches: "", pubsubTopicName: "projects/other/topics/all" },
    ],
    stateNotificationConfig: { pubsubTopicName: "projects/lab/topics/states" },
  });
});

test("an empty state topic clears it, and what is not given is not touched", () => {
  assert.deepEqual(notificationsOf({ statePubsubTopic: "" }, "lab"), {
    stateNotificationConfig: { pubsubTopicName: "" },
  });
  assert.deepEqual(notificationsOf({}, "lab"), {});
  assert.equal(fullTopic("", "lab"), "");
});

for (const text of ["", "alerts", "subfolder=a", "topic=", "topic=a,topic=b", "topic=a,folder=b"]) {
  test(`the event config '${text}' is refused`, () => {
    assert.throws(() => notificationsOf({ eventNotificationConfig: [text] }, "lab"), CommandFailure);
  });
}

test("policy fields are numbers, words or true and false; one that does not exist is refused by name", () => {
  const set = ["messagesPerSecond=50", "looseBase64=false", "pendingKeys=refuse"];

  assert.deepEqual(policyFieldsOf({ set }), {
    ...{ messagesPerSecond: 50, looseBase64: false, pendingKeys: "refuse" },
  });
  for (const bad of ["messages=5", "preset=strict", "statesPerSecond", "=1"])
    assert.throws(() => policyFieldsOf({ set: [bad] }), CommandFailure, bad);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTopicName } from "../registry/topic-name.ts";
import { findEventTopic } from "./routing.ts";

const topic = (name: string) => `projects/mayfly/topics/${name}`;
const routes = {
  eventNotificationConfigs: [
    { subfolderMatches: "alerts", pubsubTopicName: topic("alerts") },
    { subfolderMatches: "alerts/fire", pubsubTopicName: topic("fire") },
    { subfolderMatches: "alerts", pubsubTopicName: topic("never") },
    { subfolderMatches: "", pubsubTopicName: topic("telemetry") },
    { subfolderMatches: "late", pubsubTopicName: topic("never") },
  ],
  stateNotificationTopic: "",
};

for (const [sentence, subfolder, expected] of [
  ["the first config that matches wins over a later one", "alerts", "alerts"],
  ["a subfolder is matched whole, a deeper one is another", "alerts/fire", "fire"],
  ["a subfolder that only begins alike goes to the default", "alerts/water", "telemetry"],
  ["letters count: another case goes to the default", "Alerts", "telemetry"],
  ["no subfolder goes to the default", "", "telemetry"],
  ["what stands behind an empty match is never reached", "late", "telemetry"],
] as const) {
  test(sentence, () => {
    assert.equal(findEventTopic(routes, subfolder), topic(expected));
  });
}

test("where no config matches an event has no topic", () => {
  const eventNotificationConfigs = routes.eventNotificationConfigs.slice(0, 1);

  assert.equal(findEventTopic({ ...routes, eventNotificationConfigs }, "other"), undefined);
  assert.equal(findEventTopic({ ...routes, eventNotificationConfigs: [] }, ""), undefined);
});

test("a topic name has a project and a topic of at most 255 characters, and nothing else", () => {
  const long = "t".repeat(255);
  for (const good of ["projects/mayfly/topics/t", "projects/e.com:p/topics/T-1._~+%", topic(long)])
    assert.equal(isTopicName(good), true, good);
  for (const bad of [
    "",
    "telemetry",
    "projects/mayfly/topics/",
    "projects//topics/t",
    "projects/mayfly/topics/a/b",
    "projects/mayfly/subscriptions/t",
    "projects/mayfly/topics/1t",
    "projects/mayfly/topics/t\n",
    "/projects/mayfly/topics/t",
    topic(`${long}t`),
  ])
    assert.equal(isTopicName(bad), false, bad);
});

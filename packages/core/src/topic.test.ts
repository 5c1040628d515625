import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  commandsFilter,
  commandTopic,
  configTopic,
  errorsTopic,
  eventsTopic,
  findPublishTopic,
  findSubscribeFilter,
  isCommandSubfolder,
  isEventSubfolder,
  isTopicFilterWellFormed,
  isTopicNameWellFormed,
  mayPublish,
  maySubscribe,
  stateTopic,
  TopicError,
  type TopicUser,
} from "./topic.ts";

const device = fc.stringMatching(/^[a-fh-zA-Z][-a-zA-Z0-9._~%]{2,20}$/);
const level = fc.stringMatching(/^[a-zA-Z][-a-zA-Z0-9._~%]{1,10}$/);
const subfolder = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));

test("what eventsTopic makes is found again, with and without subfolder", () => {
  fc.assert(
    fc.property(device, subfolder, (id, folder) => {
      assert.deepEqual(findPublishTopic(eventsTopic(id)), { kind: "events", device: id, subfolder: "" });
      assert.deepEqual(findPublishTopic(eventsTopic(id, folder)), {
        kind: "events",
        device: id,
        subfolder: folder,
      });
    }),
  );
});

test("state, attach and detach are found by name", () => {
  assert.deepEqual(findPublishTopic(stateTopic("dev-1")), { kind: "state", device: "dev-1" });
  assert.deepEqual(findPublishTopic("/devices/dev-1/attach"), { kind: "attach", device: "dev-1" });
  assert.deepEqual(findPublishTopic("/devices/dev-1/detach"), { kind: "detach", device: "dev-1" });
});

test("a device may be meant by its numeric id", () => {
  assert.deepEqual(findPublishTopic("/devices/2928540609735937/events"), {
    kind: "events",
    device: "2928540609735937",
    subfolder: "",
  });
});

for (const topicName of [
  "",
  "/",
  "devices/dev-1/events",
  "/devices/dev-1",
  "/devices/dev-1/",
  "/devices//events",
  "/devices/dev-1/events/",
  "/devices/dev-1/events//sub",
  "/devices/dev-1/events/sub/",
  "/devices/dev-1/events/1sub",
  "/devices/dev-1/events/a",
  "/devices/dev-1/events/+",
  "/devices/dev-1/events/a+b",
  "/devices/dev-1/events/#",
  "/devices/dev+1/events",
  "/devices/dev-1/state/sub",
  "/devices/dev-1/config",
  "/devices/dev-1/commands",
  "/devices/dev-1/Events",
  "/devices/googdev/events",
  "/devices/0123/events",
  "$SYS/broker",
  `/devices/dev-1/events/a${"b".repeat(256)}`,
]) {
  test(`Topic Name ${JSON.stringify(topicName.slice(0, 40))} does not exist`, () => {
    assert.equal(findPublishTopic(topicName), undefined);
  });
}

test("a subfolder may have 256 bytes and not 257", () => {
  assert.ok(isEventSubfolder(`a${"b".repeat(255)}`));
  assert.ok(!isEventSubfolder(`a${"b".repeat(256)}`));
  assert.ok(isCommandSubfolder("c".repeat(256)));
  assert.ok(!isCommandSubfolder("c".repeat(257)));
});

test("three Topic Filters exist", () => {
  assert.deepEqual(findSubscribeFilter(configTopic("dev-1")), { kind: "config", device: "dev-1" });
  assert.deepEqual(findSubscribeFilter(commandsFilter("dev-1")), { kind: "commands", device: "dev-1" });
  assert.deepEqual(findSubscribeFilter(errorsTopic("dev-1")), { kind: "errors", device: "dev-1" });
});

for (const filter of [
  "#",
  "/devices/#",
  "/devices/+/config",
  "/devices/dev-1/#",
  "/devices/dev-1/+",
  "/devices/dev-1/commands",
  "/devices/dev-1/commands/+",
  "/devices/dev-1/commands/sub",
  "/devices/dev-1/commands/#/",
  "/devices/dev-1/events",
  "/devices/dev-1/config/#",
  "$share/g/devices/dev-1/config",
]) {
  test(`Topic Filter ${filter} does not exist`, () => {
    assert.equal(findSubscribeFilter(filter), undefined);
  });
}

test("command topics carry free subfolders but no wildcard and no NUL", () => {
  assert.equal(commandTopic("dev-1"), "/devices/dev-1/commands");
  assert.equal(commandTopic("dev-1", "a/b c/é"), "/devices/dev-1/commands/a/b c/é");
  for (const folder of ["a+", "#", "a\0b", "\ud800", "x".repeat(257)]) {
    assert.throws(() => commandTopic("dev-1", folder), TopicError);
  }
});

test("eventsTopic refuses a subfolder that could not be published to", () => {
  for (const folder of ["a", "1a", "ab/", "a+b", "a b"]) {
    assert.throws(() => eventsTopic("dev-1", folder), TopicError);
  }
});

const plain: TopicUser = { names: ["dev-1", "77"], isGateway: false, isAttached: () => true };
const gateway: TopicUser = { names: ["gw-1", "88"], isGateway: true, isAttached: (id) => id === "dev-1" };

test("a device publishes for itself, by either name, and for nobody else", () => {
  const mayUse = (name: string) => {
    const topic = findPublishTopic(name);
    return topic !== undefined && mayPublish(topic, plain);
  };

  assert.ok(mayUse("/devices/dev-1/events"));
  assert.ok(mayUse("/devices/77/state"));
  assert.ok(!mayUse("/devices/dev-2/events"));
  assert.ok(!mayUse("/devices/dev-2/attach"));
});

test("a gateway publishes for itself and for those attached, and attaches others", () => {
  const mayUse = (name: string) => {
    const topic = findPublishTopic(name);
    return topic !== undefined && mayPublish(topic, gateway);
  };

  assert.ok(mayUse("/devices/gw-1/events"));
  assert.ok(mayUse("/devices/dev-1/events/sub"));
  assert.ok(mayUse("/devices/dev-2/attach"));
  assert.ok(!mayUse("/devices/dev-2/events"));
  assert.ok(!mayUse("/devices/gw-1/attach"));
});

test("errors are for a gateway's own ears; config and commands also for those attached", () => {
  const mayUse = (filter: string, user: TopicUser) => {
    const found = findSubscribeFilter(filter);
    return found !== undefined && maySubscribe(found, user);
  };

  assert.ok(mayUse("/devices/dev-1/config", plain));
  assert.ok(!mayUse("/devices/dev-2/config", plain));
  assert.ok(!mayUse("/devices/dev-1/errors", plain));
  assert.ok(mayUse("/devices/gw-1/errors", gateway));
  assert.ok(!mayUse("/devices/dev-1/errors", gateway));
  assert.ok(mayUse("/devices/dev-1/commands/#", gateway));
  assert.ok(!mayUse("/devices/dev-2/commands/#", gateway));
});

test("Topic Names are well-formed as MQTT 5.0 §4.7 has them", () => {
  for (const name of ["a", "/", "a//b", " ", "é", "$SYS"]) assert.ok(isTopicNameWellFormed(name), name);
  for (const name of ["", "a\0", "a/+", "#", "\ud800", "é".repeat(32_768)])
    assert.ok(!isTopicNameWellFormed(name));
  assert.ok(isTopicNameWellFormed("a".repeat(65_535)));
  assert.ok(!isTopicNameWellFormed("a".repeat(65_536)));
});

test("Topic Filters are well-formed as MQTT 5.0 §4.7.1 has them", () => {
  for (const filter of ["#", "+", "/+", "+/+/#", "a/#", "sport/tennis/#", "+/tennis/#", "a//b/"]) {
    assert.ok(isTopicFilterWellFormed(filter), filter);
  }
  for (const filter of ["", "a#", "a/#/b", "#/", "a+", "+a/b", "sport+", "sport/tennis#", "a\0"]) {
    assert.ok(!isTopicFilterWellFormed(filter), filter);
  }
});

test("whatever is found is well-formed", () => {
  const nearTopic = fc.string({
    unit: fc.constantFrom("/", "devices", "abc", "events", "commands", "#", "+", "config"),
    maxLength: 8,
  });

  fc.assert(
    fc.property(nearTopic, (text) => {
      if (findPublishTopic(text) !== undefined) assert.ok(isTopicNameWellFormed(text));
      if (findSubscribeFilter(text) !== undefined) assert.ok(isTopicFilterWellFormed(text));
    }),
    { numRuns: 1000 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminHouse, lab, openAdminHouse, publish } from "../../test/http/admin-house.ts";

const registry = "projects/mayfly/locations/lab/registries/plant";
const subscription = "/v1/projects/mayfly/subscriptions/sink-1";

async function openSink(): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("PUT", subscription, { registry, from: "earliest" });
  return house;
}

test("a subscription is made, shown, listed and deleted", async () => {
  const house = await openSink();

  const found = await house.call("GET", subscription);
  const listed = await house.call("GET", "/v1/projects/mayfly/subscriptions");
  const deleted = await house.call("DELETE", subscription);
  const gone = await house.call("GET", subscription);

  assert.deepEqual(found.body, {
    name: "projects/mayfly/subscriptions/sink-1",
    registry,
    ackDeadlineSeconds: 60,
    createTime: "2023-11-14T22:13:20.000Z",
  });
  assert.deepEqual(listed.body, { subscriptions: [found.body] });
  assert.deepEqual([deleted.text, gone.status], ["{}", 404]);
});

test("a pulled message has Pub/Sub's shape and IoT Core's attributes", async () => {
  const house = await openSink();
  const messageId = await publish(house, { deviceId: "sensor-1", text: "hi", subfolder: "a/b" });

  const pulled = await house.call("POST", `${subscription}:pull`, {
    maxMessages: 10,
    returnImmediately: true,
  });

  const [received] = pulled.body.receivedMessages;
  assert.deepEqual(pulled.body, {
    receivedMessages: [
      {
        ackId: received.ackId,
        deliveryAttempt: 1,
        message: {
          data: "aGk=",
          attributes: {
            deviceId: "sensor-1",
            deviceNumId: "2928540609735937",
            deviceRegistryId: "plant",
            deviceRegistryLocation: "lab",
            projectId: "mayfly",
            subFolder: "a/b",
          },
          messageId,
          publishTime: "2023-11-14T22:13:20.000Z",
        },
      },
    ],
  });
});

test("an acknowledged message does not come again, one given back does", async () => {
  const house = await openSink();
  await publish(house, { deviceId: "sensor-1", text: "1" });
  await publish(house, { deviceId: "sensor-1", text: "2" });
  const pull = { max_messages: 10, return_immediately: true };

  const first = await house.call("POST", `${subscription}:pull`, pull);
  const [one, two] = first.body.receivedMessages;
  await house.call("POST", `${subscription}:acknowledge`, { ackIds: [one.ackId] });
  await house.call("POST", `${subscription}:modifyAckDeadline`, {
    ackIds: [two.ackId],
    ackDeadlineSeconds: 0,
  });
  const second = await house.call("POST", `${subscription}:pull`, pull);

  assert.deepEqual(
    second.body.receivedMessages.map((received: typeof two) => received.message.messageId),
    [two.message.messageId],
  );
});

test("a pull waits for the next message", async () => {
  const house = await openSink();

  const pulling = house.call("POST", `${subscription}:pull`, { maxMessages: 1, waitSeconds: 20 });
  await house.call("GET", subscription);
  await publish(house, { deviceId: "sensor-1", text: "late" });
  const pulled = await pulling;

  assert.equal(pulled.body.receivedMessages[0].message.data, "bGF0ZQ==");
});

test("a waiting pull answers empty when the server closes", async () => {
  const house = await openSink();

  const pulling = house.call("POST", `${subscription}:pull`, { maxMessages: 1 });
  await house.call("GET", subscription);
  await house.app.close();
  const pulled = await pulling;

  assert.deepEqual(pulled.body, {});
});

for (const [sentence, method, url, body, status, code] of [
  [
    "a subscription of an unknown registry is NOT_FOUND",
    "PUT",
    "/v1/projects/mayfly/subscriptions/sink-2",
    { registry: registry.replace("plant", "nothing") },
    404,
    "NOT_FOUND",
  ],
  ["a subscription that exists is ALREADY_EXISTS", "PUT", subscription, { registry }, 409, "ALREADY_EXISTS"],
  [
    "a subscription of another project's registry is refused",
    "PUT",
    "/v1/projects/other/subscriptions/sink-1",
    { registry },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a closed project is NOT_FOUND",
    "PUT",
    "/v1/projects/nowhere/subscriptions/sink-1",
    { registry },
    404,
    "NOT_FOUND",
  ],
  [
    "a lease below 10 s is refused",
    "PUT",
    "/v1/projects/mayfly/subscriptions/sink-2",
    { registry, ackDeadlineSeconds: 9 },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a lease above 600 s is refused",
    "PUT",
    "/v1/projects/mayfly/subscriptions/sink-2",
    { registry, ackDeadlineSeconds: 601 },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a name that is no registry is refused",
    "PUT",
    "/v1/projects/mayfly/subscriptions/sink-2",
    { registry: "plant" },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "an id that begins with a digit is refused",
    "PUT",
    "/v1/projects/mayfly/subscriptions/2sink",
    { registry },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a pull of nothing is refused",
    "POST",
    `${subscription}:pull`,
    { maxMessages: 0 },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a pull that waits over 30 s is refused",
    "POST",
    `${subscription}:pull`,
    { maxMessages: 1, waitSeconds: 31 },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a pull of an unknown subscription is NOT_FOUND",
    "POST",
    "/v1/projects/mayfly/subscriptions/none:pull",
    { maxMessages: 1 },
    404,
    "NOT_FOUND",
  ],
  [
    "an acknowledgement of nothing is refused",
    "POST",
    `${subscription}:acknowledge`,
    { ackIds: [] },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "an acknowledgement of 2,501 is refused",
    "POST",
    `${subscription}:acknowledge`,
    { ackIds: Array(2_501).fill("a") },
    400,
    "INVALID_ARGUMENT",
  ],
] as const) {
  test(sentence, async () => {
    const house = await openSink();

    const answer = await house.call(method, url, body);

    assert.deepEqual([answer.status, answer.body.error.status], [status, code], answer.text);
  });
}

test("a subscription to a topic is shown with it, pulls what was routed there, and tells states by subType", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  const topic = "projects/mayfly/topics/states";
  await house.call("PUT", subscription, { registry, from: "earliest", topic });
  await publish(house, { deviceId: "sensor-1", text: "elsewhere" });
  await publish(house, { deviceId: "sensor-1", text: "on", routed: { topic, kind: "state" } });

  const found = await house.call("GET", subscription);
  const pulled = await house.call("POST", `${subscription}:pull`, {
    maxMessages: 10,
    returnImmediately: true,
  });

  assert.equal(found.body.topic, topic);
  const [received, ...others] = pulled.body.receivedMessages;
  assert.deepEqual(others, []);
  assert.equal(received.message.topic, topic);
  assert.equal(received.message.attributes.subType, "state");
  assert.equal("subFolder" in received.message.attributes, false);
});

test("a subscription to what is no topic name is refused", async () => {
  const house = await openSink();

  const answer = await house.call("PUT", "/v1/projects/mayfly/subscriptions/sink-2", {
    registry,
    topic: "t",
  });

  assert.deepEqual([answer.status, answer.body.error.status], [400, "INVALID_ARGUMENT"]);
});

test("messages of a device come in the order they were taken", async () => {
  const house = await openSink();
  const texts = Array.from({ length: 50 }, (_, n) => `message ${n}`);
  for (const text of texts) await publish(house, { deviceId: "sensor-1", text });

  const pulled = await house.call("POST", `${subscription}:pull`, {
    max_messages: 50,
    return_immediately: true,
  });

  const received = pulled.body.receivedMessages as readonly { message: { data: string } }[];
  assert.deepEqual(
    received.map(({ message }) => Buffer.from(message.data, "base64").toString()),
    texts,
  );
});

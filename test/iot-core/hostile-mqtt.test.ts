/**
 * Hostile MQTT against a bridge in its own process: every row of the tables over a TLS connection of its own, in both
 * versions of the protocol, with what a client can see of the answer.
 *
 * Left to others: sockets that are hostile below MQTT (`hostile-sockets.test.ts`).
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { manyAtOnce } from "../process/fleet.ts";
import {
  connectPacket,
  disconnectPacket,
  packetType,
  pingreqPacket,
  RawConnection,
} from "../process/raw-mqtt.ts";
import type { Row, Sender } from "./hostile-bytes.ts";
import { hostileConnects } from "./hostile-connects.ts";
import { goodToken, HostileHouse, inWords, patienceMillis } from "./hostile-house.ts";
import { hostilePackets } from "./hostile-packets.ts";

/** Rows under way, each with a device of its own. */
const atOnce = 6;
/** A row that must be met with silence is watched for so long. */
const silenceMillis = 400;

const house = new HostileHouse();
before(() => house.open(atOnce));
after(() => house.end());

/** Sends a row's bytes, as a device or a stranger. @returns the answer in the words of the tables. */
async function answerTo(row: Row, sender: Sender, token: string | undefined): Promise<string> {
  const seen: string[] = [];
  const isOpen = row.answer.endsWith("open");
  const packetsExpected = row.answer.split(", ").length - 1;
  let hasPinged = false;
  const settled = Promise.withResolvers<string>();
  const connection = new RawConnection(await house.dial(), ({ type, body }) => {
    if (type !== packetType.pingresp) seen.push(inWords({ type, body }, row.version));
    else if (hasPinged) settled.resolve("open");
    if (hasPinged || !isOpen || seen.length < packetsExpected) return;
    // All that was expected is there: whatever comes before a second PINGRESP is too much.
    hasPinged = true;
    connection.send(pingreqPacket);
  });
  try {
    if (token !== undefined) {
      const { version, clientIdentifier } = sender;
      const order = { version, clientIdentifier, token, userName: "unused" };
      const connack = await connection.ask(connectPacket(order), packetType.connack);
      assert.equal(connack[1], 0, "the sender of a hostile row is itself accepted");
    }
    connection.send(row.bytes(sender));
    if (isOpen) connection.send(pingreqPacket);
    const end = await Promise.race([
      connection.cut.then(() => "closed"),
      settled.promise,
      within(row.answer === "silence" ? silenceMillis : patienceMillis).then(() => "silence"),
    ]);
    return [...seen, end].join(", ");
  } finally {
    // The next row of this device must find it gone, or it would be a takeover.
    if (isOpen) connection.send(disconnectPacket);
    else connection.destroy();
    await connection.cut;
  }
}

function within(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis).unref());
}

async function findWrongAnswers(
  rows: readonly Row[],
  phase: "first" | "connected",
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const queue = rows.values();
  await manyAtOnce(house.devices, atOnce, async (device) => {
    const token = phase === "first" ? undefined : goodToken(device);
    for (const row of queue) {
      const { id, clientIdentifier } = device;
      const answer = await answerTo(row, { version: row.version, id, clientIdentifier }, token).catch(
        (error: unknown) => String(error),
      );
      if (answer !== row.answer)
        wrong.push(
          `MQTT ${row.version}, ${row.what}: ${answer.slice(0, 200)}, not ${row.answer.slice(0, 200)}`,
        );
    }
  });
  return wrong;
}

test("the tables hold 150 rows and more, no two of the same bytes in the same place, each with an answer", () => {
  const places = { first: hostileConnects, connected: hostilePackets };
  const keys = Object.entries(places).flatMap(([place, rows]) =>
    rows.map(({ version, bytes, what }) => {
      const sender = {
        version,
        id: "device-1",
        clientIdentifier: "projects/p/locations/l/registries/r/devices/device-1",
      };
      // Before a CONNECT there is no version: bytes alone are what a stranger says.
      return `${place === "first" ? "" : version} ${place} ${createHash("sha256").update(bytes(sender)).digest("hex")}: ${what.replaceAll(":", "")}`;
    }),
  );
  const hashOf = (key: string) => key.slice(0, key.lastIndexOf(":"));
  const hashes = keys.map(hashOf);
  const answers = Object.values(places).flatMap((rows) => rows.map(({ answer }) => answer));

  assert.ok(keys.length >= 150, `${keys.length} rows`);
  assert.deepEqual(
    keys.filter((key, index) => hashes.indexOf(hashOf(key)) !== index),
    [],
  );
  assert.deepEqual(
    answers.filter(
      (answer) => !/^(?:(?:[A-Z]+(?: (?:0x[0-9a-f]{2}|\d+))*, )*(?:open|closed)|silence)$/.test(answer),
    ),
    [],
  );
});

test("each hostile first packet is answered as its version's standard and our reference say", async (t) => {
  const wrong = await findWrongAnswers(hostileConnects, "first");

  t.diagnostic(`${hostileConnects.length} first packets`);
  assert.deepEqual(wrong, []);
});

test("each hostile packet of a connected device ends its connection with the cause named, or is answered and harmless", async (t) => {
  const wrong = await findWrongAnswers(hostilePackets, "connected");

  t.diagnostic(`${hostilePackets.length} packets of connected devices`);
  assert.deepEqual(wrong, []);
});

test("all the while an honest device is served within 2 s, the process lives and grows little, and nothing is left of the attackers", async (t) => {
  t.diagnostic(JSON.stringify(await house.verdict()));
});

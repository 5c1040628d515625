/**
 * A whole bridge behind a connection that was admitted honestly: what comes after its CONNECT is the input. The first
 * byte says the version, and in how many pieces the rest comes.
 *
 * Promised: nothing is thrown; what the bridge answers a client can read; nothing of the connection is left when it
 * is over; and a device beside it publishes as ever.
 */
import { encodeClientPacket } from "@mayfly/core/mqtt-client";
import { DeviceKey, publishOf, type TestClient, World } from "../../../packages/server/test/bridge-world.ts";
import { sessionPackets } from "../seeds/packets.ts";
import { bytesOf, type FuzzTarget, promise } from "../target.ts";

/** The token of the honest device is good for an hour of virtual time; a world lasts for so many runs. */
const runsPerWorld = 2_000;
const honestId = "projects/mayfly/locations/here/registries/greenhouse/devices/moss";

interface Scene {
  readonly world: World;
  readonly honest: TestClient;
  runs: number;
}

export async function openSessionTarget(): Promise<FuzzTarget> {
  let scene = await openScene();
  return {
    name: "session",
    seeds: ([4, 5] as const).flatMap((version) =>
      sessionPackets(version, "fern").map((packets) =>
        Buffer.concat([
          new Uint8Array([version === 4 ? 0 : 1]),
          ...packets.map((packet) => encodeClientPacket(packet, version)),
        ]),
      ),
    ),
    dictionary: [
      "/devices/fern/",
      "events",
      "state",
      "config",
      "commands/#",
      "attach",
      "errors",
      "\x23\x00\x01",
    ].map(bytesOf),
    async run(input) {
      if (scene.runs >= runsPerWorld) {
        scene.world.bridge.close();
        scene = await openScene();
      }
      await play(scene, input);
    },
    async close() {
      scene.world.bridge.close();
    },
  };
}

async function openScene(): Promise<Scene> {
  const world = await World.create();
  world.backbone.auto = { kind: "durable", messageId: "1" };
  const key = new DeviceKey("moss");
  await world.createDevice("moss", [key.record]);
  const honest = world.connect(5, { clientIdentifier: honestId, token: key.token() });
  await world.time.advance(0);
  return { world, honest, runs: 0 };
}

async function play(scene: Scene, input: Uint8Array): Promise<void> {
  const { world, honest } = scene;
  scene.runs += 1;
  const [kind = 0, ...rest] = input;
  const hostile = world.connect(kind % 2 === 0 ? 4 : 5);
  await world.time.advance(0);
  promise(hostile.of("connack")[0]?.reasonCode === 0, "an honest CONNECT is refused");
  const pieceBytes = Math.max(1, Math.ceil(rest.length / (1 + (kind >> 4))));
  for (let at = 0; at < rest.length && !hostile.isClosed; at += pieceBytes) {
    hostile.sendBytes(new Uint8Array(rest.slice(at, at + pieceBytes)));
  }
  await world.time.advance(1);

  const before = honest.of("puback").length;
  honest.send(publishOf(1, { topic: "/devices/moss/events" }));
  await world.time.advance(0);
  promise(honest.of("puback").length === before + 1, "the device beside it goes without its PUBACK");
  honest.packets.length = 0;

  hostile.lose();
  await world.time.advance(0);
  const counts = world.bridge.counts();
  promise(counts.connections === 1 && counts.sessions === 1, "a connection is left that is over");
  promise(counts.deadlines === 1, "a due time is left of a connection that is over");
  promise(
    counts.heldBytes === 0 && counts.inFlightMessages === 0,
    "messages are left of a connection that is over",
  );
  world.diary.lines.length = 0;
  world.diary.acknowledgedMillis.length = 0;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { startSeconds, VirtualTime } from "../../test/bridge-world.ts";
import type { DeviceActivity } from "../registry/model.ts";
import { lingerMillis, type Presence, type PresenceWay, type PresentDevice } from "./presence.ts";
import { type Leaving, PresenceBook } from "./presence-book.ts";

const registry = { project: "mayfly", location: "lab", registry: "plant" };
const fern: PresentDevice = { registry, deviceId: "fern", deviceNumId: "1" };
const direct: PresenceWay = { kind: "direct" };
const hall: PresenceWay = { kind: "gateway", gatewayId: "hall" };

function openBook(mostLingering?: number) {
  const time = new VirtualTime();
  const lines: string[] = [];
  const told: { readonly device: PresentDevice; readonly presence: Presence }[] = [];
  const recorded = new Map<string, DeviceActivity["presence"]>();
  const book = new PresenceBook(
    {
      clock: time,
      timers: time,
      registry: {
        recordActivity: ({ device, activity }) => void recorded.set(device.device, activity.presence),
      },
      tell(device, presence) {
        told.push({ device, presence });
        lines.push(`${device.deviceId} ${presence.state} ${presence.because}`);
      },
    },
    mostLingering,
  );
  return { time, book, lines, told, recorded };
}

test("a device is told online when it connects, and offline when it was away for 10 s, since it left", async () => {
  const { time, book, told, lines, recorded } = openBook();

  book.arrived(fern, direct);
  await time.advance(60_000);
  book.left(fern, direct, "may_return", "link_lost");
  await time.advance(lingerMillis - 1);
  assert.deepEqual(lines, ["fern online connected"]);
  await time.advance(1);

  assert.deepEqual(lines, ["fern online connected", "fern offline link_lost"]);
  assert.equal(told[1]?.presence.sinceMs, (startSeconds + 60) * 1000);
  assert.deepEqual(recorded.get("fern"), told[1]?.presence);
  assert.deepEqual(book.counts(), { online: 0, throughGateways: 0, lingering: 0 });
});

test("a device that is back within 10 s was online all the while, and a note says that it reconnected", async () => {
  const { time, book, told, lines } = openBook();

  book.arrived(fern, direct);
  await time.advance(1_000);
  book.left(fern, direct, "may_return", "link_lost");
  assert.equal(book.find(fern)?.lostMs, (startSeconds + 1) * 1000);
  await time.advance(lingerMillis - 1);
  book.arrived(fern, direct);
  await time.advance(60_000);

  assert.deepEqual(lines, ["fern online connected", "fern online reconnected"]);
  assert.equal(told[1]?.presence.sinceMs, startSeconds * 1000);
  assert.deepEqual(book.find(fern), {
    ...{ state: "online", sinceMs: startSeconds * 1000, because: "connected", way: direct },
  });
});

test("a connection that follows another for the next token is told by nothing", async () => {
  const { time, book, lines } = openBook();

  book.arrived(fern, direct);
  book.left(fern, direct, "renewed", "handed_over");
  book.arrived(fern, direct);
  await time.advance(60_000);

  assert.deepEqual(lines, ["fern online connected"]);
});

test("a takeover is a note: the device is online as before, by another connection", () => {
  const { book, lines } = openBook();

  book.arrived(fern, direct);
  book.left(fern, direct, "replaced", "taken_over");
  book.arrived(fern, direct);

  assert.deepEqual(lines, ["fern online connected", "fern online taken_over"]);
});

test("whom the registry puts out is offline at once", () => {
  const { book, lines } = openBook();

  book.arrived(fern, direct);
  book.left(fern, direct, "put_out", "device_blocked");

  assert.deepEqual(lines, ["fern online connected", "fern offline device_blocked"]);
});

test("a device is online as long as one way to it is open, its own or a gateway's", async () => {
  const { time, book, lines } = openBook();

  book.arrived(fern, hall);
  book.arrived(fern, direct);
  book.left(fern, direct, "may_return", "link_lost");
  await time.advance(60_000);
  assert.deepEqual(book.find(fern)?.way, hall);
  assert.deepEqual(book.counts(), { online: 1, throughGateways: 1, lingering: 0 });
  book.left(fern, hall, "may_return", "detached");
  await time.advance(60_000);

  assert.deepEqual(lines, ["fern online attached", "fern offline detached"]);
});

test("a device that was deleted is gone, and one of its name made since is another", async () => {
  const { time, book, lines, recorded } = openBook();
  const young = { ...fern, deviceNumId: "2" };

  book.arrived(fern, direct);
  book.left(fern, direct, "may_return", "link_lost");
  book.removed({ ...registry, device: "fern" });
  assert.equal(recorded.get("fern")?.state, "online"); // its record went with it
  book.arrived(fern, direct);
  book.arrived(young, direct);
  book.left(fern, direct, "replaced", "taken_over");
  await time.advance(60_000);

  assert.deepEqual(lines.slice(1), [
    "fern offline device_deleted",
    "fern online connected",
    "fern offline device_deleted",
    "fern online connected",
  ]);
  assert.equal(book.find(young)?.state, "online");
  assert.equal(book.find(fern), undefined);
});

test("above the bound of those who linger the one that is away longest is told early", () => {
  const { book, lines } = openBook(2);
  const devices = ["a", "b", "c"].map((deviceId) => ({ ...fern, deviceId, deviceNumId: deviceId }));

  for (const device of devices) book.arrived(device, direct);
  for (const device of devices) book.left(device, direct, "may_return", "link_lost");

  assert.deepEqual(lines.slice(3), ["a offline link_lost"]);
  assert.equal(book.counts().lingering, 2);
});

test("when the bridge ends everybody is offline, those who linger for the reason they left", () => {
  const { time, book, recorded } = openBook();

  book.arrived(fern, direct);
  book.arrived({ ...fern, deviceId: "moss", deviceNumId: "2" }, direct);
  book.left(fern, direct, "may_return", "keep_alive");
  book.close();

  assert.equal(recorded.get("fern")?.because, "keep_alive");
  assert.equal(recorded.get("moss")?.because, "shutting_down");
  assert.equal(time.timersWaiting, 0);
});

test("whatever comes, goes and how: online and offline alternate, are true, and equal the table", async () => {
  const ways = [direct, hall, { kind: "gateway", gatewayId: "attic" }] as const;
  const hows = ["replaced", "renewed", "may_return", "put_out"] as const;
  const deeds = fc.array(
    fc.record({
      device: fc.constantFrom("fern", "moss"),
      way: fc.constantFrom(...ways),
      how: fc.constantFrom<Leaving>(...hows),
      pauseMillis: fc.constantFrom(0, 0, 1, lingerMillis - 1, lingerMillis),
    }),
    { maxLength: 60 },
  );

  await fc.assert(
    fc.asyncProperty(deeds, async (list) => {
      const { time, book, told, recorded } = openBook();
      const open = new Map<string, Set<string>>([
        ["fern", new Set()],
        ["moss", new Set()],
      ]);
      const seen = new Map<string, Presence["state"]>();
      let read = 0;
      const check = () => {
        for (; read < told.length; read++) {
          const { device, presence } = told[read] ?? assert.fail();
          const before = seen.get(device.deviceId) ?? "offline";
          const isNote = presence.because === "reconnected" || presence.because === "taken_over";
          assert.equal(presence.state === before, isNote, "online and offline alternate but for notes");
          if (presence.state === "offline") assert.equal(open.get(device.deviceId)?.size, 0);
          seen.set(device.deviceId, presence.state);
        }
        for (const deviceId of open.keys()) {
          const now = book.find({ ...fern, deviceId });
          assert.equal(now?.state ?? "offline", seen.get(deviceId) ?? "offline");
          assert.equal(recorded.get(deviceId)?.state ?? "offline", seen.get(deviceId) ?? "offline");
          assert.equal(now?.way !== undefined, (open.get(deviceId)?.size ?? 0) > 0);
        }
        const online = [...seen.values()].filter((state) => state === "online").length;
        assert.equal(book.counts().online, online);
        assert.equal(book.online(registry).length, online);
        const through = [...open.values()].filter((o) => o.size > 0 && !o.has("direct")).length;
        assert.equal(book.counts().throughGateways, through);
      };

      for (const { device: deviceId, way, how, pauseMillis } of list) {
        const device = { ...fern, deviceId };
        const name = way.kind === "direct" ? "direct" : way.gatewayId;
        const ownWays = open.get(deviceId) ?? assert.fail();
        if (ownWays.delete(name)) book.left(device, way, how, "link_lost");
        else {
          ownWays.add(name);
          book.arrived(device, way);
        }
        check();
        await time.advance(pauseMillis);
        check();
      }
      await time.advance(lingerMillis);
      check();

      for (const [deviceId, ownWays] of open) {
        assert.equal(seen.get(deviceId) ?? "offline", ownWays.size > 0 ? "online" : "offline");
      }
    }),
  );
});

/** Presence of devices behind gateways: online by what their gateway attaches, whatever else connects. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey } from "../../test/bridge-world.ts";
import { GatewayWorld, shedPath } from "../../test/gateway-world.ts";
import { lingerMillis } from "../presence/presence.ts";

const greenhouse = { project: "mayfly", location: "here", registry: "greenhouse" };

async function openHouse(...options: Parameters<typeof GatewayWorld.create>) {
  const house = await GatewayWorld.create(...options);
  const { history, book } = house.world.watchPresence();
  /** What was told of `fern`. */
  const told = (): readonly string[] => {
    const lines: string[] = [];
    for (let event = history.next(greenhouse, 0); event !== undefined; ) {
      const { device, presence } = event;
      const way = presence.way?.kind === "gateway" ? ` ${presence.way.gatewayId}` : "";
      if (device.deviceId === "fern") lines.push(`${presence.state} ${presence.because}${way}`);
      event = history.next(greenhouse, event.sequence);
    }
    return lines;
  };
  return { house, world: house.world, told, book };
}

test("an attached device is online through its gateway, and offline 10 s after it was detached", async () => {
  const { house, world, told } = await openHouse();
  const gateway = house.listening();

  house.attach(gateway, 1);
  gateway.publish(2, { topic: "/devices/fern/detach" });
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online attached shed", "offline asked"]);
});

test("a gateway that is lost takes its devices with it, unless it is back and attaches them within 10 s", async () => {
  const { house, world, told } = await openHouse();
  const first = house.listening();
  house.attach(first, 1);

  first.lose();
  await world.time.advance(lingerMillis - 1);
  const second = house.listening();
  house.attach(second, 1);
  await world.time.advance(lingerMillis);
  assert.deepEqual(told(), ["online attached shed", "online reconnected shed"]);
  second.lose();
  await world.time.advance(lingerMillis);

  assert.deepEqual(told().slice(2), ["offline connection_ended"]);
});

test("an attach again, with the device's next token, and the gateway's own next token are told by nothing", async () => {
  const { house, world, told } = await openHouse();
  const handover = { cleanStart: false, userName: "mayfly/1 handover" };
  const token = () => house.gatewayKey.token({ sub: shedPath });
  const first = house.listening(4, { ...handover, token: token() });
  house.attach(first, 1);
  house.attach(first, 2);

  house.connect(4, { ...handover, token: token() });
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online attached shed"]);
});

test("a device that another gateway attaches stays online, with a note", async () => {
  const { house, world, told } = await openHouse();
  const barnKey = new DeviceKey("of the barn");
  await house.createGateway("barn", barnKey, "DEVICE_AUTH_TOKEN_ONLY");
  const shed = house.listening();
  const barn = world.connect(4, {
    clientIdentifier: shedPath.replace("shed", "barn"),
    token: barnKey.token(),
  });

  house.attach(shed, 1);
  house.attach(barn, 1);
  await world.time.advance(lingerMillis);

  assert.deepEqual(told(), ["online attached shed", "online taken_over barn"]);
});

test("a device with a connection of its own beside its gateway is online until both are gone", async () => {
  const { house, world, told, book } = await openHouse();
  const gateway = house.listening();
  const direct = world.connect();
  house.attach(gateway, 1);

  gateway.lose();
  await world.time.advance(lingerMillis);
  assert.deepEqual(told(), ["online connected"]);
  assert.deepEqual(book.counts(), { online: 1, throughGateways: 0, lingering: 0 });
  direct.lose();
  await world.time.advance(lingerMillis);

  assert.deepEqual(told().slice(1), ["offline link_lost"]);
});

test("where an attach ends the direct connection, the device stays online either way", async () => {
  const { house, world, told } = await openHouse({ policy: { attachEndsDirectSession: true } });
  world.connect();
  const gateway = house.listening();

  house.attach(gateway, 1);
  world.connect();
  await world.time.advance(lingerMillis);

  assert.deepEqual(
    told().filter((line) => line.startsWith("offline")),
    [],
  );
  assert.equal(told()[0], "online connected");
});

test("an attached device that is blocked is offline at once", async () => {
  const { house, world, told } = await openHouse();
  house.attach(house.listening(), 1);

  await world.store.updateDevice(world.device(), { blocked: true });
  await world.time.advance(0);

  assert.deepEqual(told(), ["online attached shed", "offline device_blocked"]);
});

/**
 * A device that keeps its time by itself, and a clock chip or time servers that fail it: the agent, the bridge, the chip and
 * three chronyd are processes, with proxies between them that lose or falsify datagrams.
 *
 * Each test asks that nothing is signed by a time nobody vouches for, that the status says so, and that in the end the device
 * is connected by the right time, with nothing missing that a program was told is kept.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { startChronyd } from "../../packages/device/test/process/loopback-time.ts";
import { DatagramProxy } from "../support/datagram-proxy.ts";
import { saysOnPage } from "../support/faults-page.ts";
import { AgentHouse, ChipProcess } from "./agent-house.ts";
import { BridgeProcess, mayflyMain } from "./bridge-process.ts";

/** A source that failed is asked again after 64 s. */
const timeout = 240_000;
const daySeconds = 86_400;

const bridge = new BridgeProcess();
const pins = join(bridge.folder, "roots", "time-pins.pem");

describe("a device with a clock of its own among faults", { concurrency: true, timeout }, () => {
  before(async () => {
    const roots = join(bridge.folder, "roots");
    execFileSync(process.execPath, [mayflyMain, "time-key", "init", "--out", roots], { stdio: "pipe" });
    await bridge.must("time-key", "delegate", "--root", join(roots, "time-root-current.key.pem"));
    await bridge.start();
    await bridge.createRegistry();
  });
  after(() => bridge.end());

  /** The bridge's signed time, behind a network that can lose it. */
  async function signedTime(t: TestContext) {
    const { time } = bridge.endpoints;
    const proxy = await DatagramProxy.start({
      host: "127.0.0.1",
      port: Number(time.slice(time.lastIndexOf(":") + 1)),
    });
    t.after(() => proxy.close());
    return { proxy, signed: { host: "127.0.0.1", port: proxy.port, pins } };
  }

  /** Three chronyd that are honest, and what lies between them and the device. */
  async function ntpServers(t: TestContext) {
    const servers = await Promise.all([1, 2, 3].map(() => startChronyd(t, "local stratum 3")));
    const proxies = await Promise.all(servers.map((server) => DatagramProxy.start(server)));
    t.after(() => {
      for (const proxy of proxies) proxy.close();
    });
    return {
      ntp: proxies.map(({ port }) => `127.0.0.1:${port}`),
      /** All of them tell a time so far ahead from now on. */
      lie(aheadSeconds: number): void {
        for (const proxy of proxies) {
          proxy.alter = (datagram, way) => [way === "to_client" ? ahead(datagram, aheadSeconds) : datagram];
        }
      },
    };
  }

  test("the clock chip's battery is empty, and nobody tells the time at first", async (t) => {
    const [words] = saysOnPage(t.name);
    const device = "battery-empty";
    const chip = new ChipProcess(t, bridge.folder, device);
    await chip.start("--rtc", "--rtc-oscillator-stopped");
    const { proxy, signed } = await signedTime(t);
    proxy.alter = () => [];
    const house = await AgentHouse.arrange(t, bridge, {
      device,
      settings: { time: { rtc: { socket: chip.socket }, signed } },
    });
    await house.start();
    const stop = house.publishOn();

    const said = await house.says(words);
    assert.equal(house.events("minted"), 0);
    proxy.alter = (datagram) => [datagram];
    await house.connected(150);
    await house.until(({ clock }) => clock?.rtc?.state === "good");
    const report = await house.report();
    await stop();

    t.diagnostic(said);
    assert.match(report, /^Connected\.$/m);
    assert.match(report, /^Clock {5}synced .*from a signed time; the clock chip is good/m);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });

  test("all time servers lie by a day, and nothing is signed", async (t) => {
    const [words] = saysOnPage(t.name);
    const servers = await ntpServers(t);
    servers.lie(daySeconds);
    const house = await AgentHouse.arrange(t, bridge, {
      device: "lied-to",
      settings: { time: { ntp: servers.ntp, floor: anHourAgo() } },
    });
    await house.start();
    const stop = house.publishOn();

    const said = await house.says(words);
    assert.equal(house.events("minted"), 0);
    servers.lie(0);
    await house.connected(150);
    const report = await house.report();
    await stop();

    t.diagnostic(said);
    assert.match(report, /^Clock {5}synced .*from servers that agree/m);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });

  test("all time servers lie by a day, and a signed time is asked for and believed", async (t) => {
    const [words] = saysOnPage(t.name);
    const servers = await ntpServers(t);
    servers.lie(daySeconds);
    const { signed } = await signedTime(t);
    const house = await AgentHouse.arrange(t, bridge, {
      device: "lied-to-in-vain",
      settings: { time: { ntp: servers.ntp, signed, floor: anHourAgo() } },
    });
    await house.start();
    const stop = house.publishOn();

    await house.connected();
    await house.says(words);
    const report = await house.report();
    // The lie is told all the time.
    await house.until(({ agent }) => agent.acknowledged >= 5);
    await stop();

    const { agent } = await house.status();
    assert.deepEqual([agent.state, agent.connects, agent.lastRefusal], ["connected", 1, undefined]);
    assert.match(report, /^Clock {5}synced .*from a signed time/m);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });
});

/** An NTP packet (RFC 5905 §7.3) whose reference, receive and transmit timestamps are so many seconds later. */
function ahead(datagram: Uint8Array, seconds: number): Uint8Array {
  const later = datagram.slice();
  const view = new DataView(later.buffer);
  for (const offset of [16, 32, 40]) view.setUint32(offset, view.getUint32(offset) + seconds);
  return later;
}

/** As somebody who put the device up an hour ago would have written it. */
function anHourAgo(): string {
  return `${new Date(Date.now() - 3_600_000).toISOString().slice(0, 19)}Z`;
}

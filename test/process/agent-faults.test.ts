/**
 * What goes wrong around a device, one fault a test: the agent, the bridge and the chip are processes as users run them, and
 * a proxy between them is the network.
 *
 * Each test asks three things: that the status says what is wrong while it is wrong, that the agent ends up connected with
 * a newer token, and that nothing a program was told is kept is missing at an application. The waits of all run at once.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { isCi, requireService } from "../../tools/services.ts";
import { saysOnPage } from "../support/faults-page.ts";
import { AgentHouse, type AgentHouseOptions, ChipProcess } from "./agent-house.ts";
import { BridgeProcess, startBridge } from "./bridge-process.ts";

/** Far beyond the slowest: a machine with much else to do. */
const timeout = 240_000;
/** Renewed after 12.5 to 13.75 s. */
const shortLife = "15s";

const bridge = new BridgeProcess();

describe("a device among faults", { concurrency: true, timeout }, () => {
  before(async () => {
    await bridge.start();
    await bridge.createRegistry();
  });
  after(() => bridge.end());

  /** A device at the bridge that all but one test share. */
  const arrange = (t: TestContext, options: AgentHouseOptions): Promise<AgentHouse> =>
    AgentHouse.arrange(t, bridge, options);

  test("the bridge is killed while a renewal is on its way, and while its answer is", async (t) => {
    const [down] = saysOnPage(t.name);
    const own = await startBridge(t);
    const house = await AgentHouse.arrange(t, own, { device: "killed-at-renewal", lifetime: shortLife });
    await house.start();
    await house.connected();
    const stop = house.publishOn();

    for (const millisIntoRenewal of [0, 450]) {
      const minted = house.events("minted");
      // Each way of the renewal takes 300 ms from now on, so that the kill comes within it.
      house.proxy.delay(300);
      while (house.events("minted") === minted) await wait(10);
      await wait(millisIntoRenewal);
      await own.stop("SIGKILL");
      house.proxy.refuse();
      await house.says(down);
      house.proxy.delay(0);
      await own.start();
      house.proxy.target = { host: "127.0.0.1", port: own.port };
      await house.proxy.accept();
      await house.connected();
    }
    await stop();

    const { agent } = await house.status();
    assert.ok((agent.tokenRemainingSeconds ?? 0) > 0);
    assert.equal(agent.connects, 3);
    const { missing, twice } = await house.pull();
    assert.deepEqual(missing, []);
    // What was durable and not acknowledged when the bridge died is sent again, and a new bridge remembers no message ids:
    // at most its Receive Maximum, 20, for each kill.
    assert.ok(twice <= 40, `${twice} came twice`);
  });

  for (const [seconds, device] of [
    [1, "cut-1s"],
    [60, "cut-60s"],
  ] as const) {
    test(`the network is cut for ${seconds} s`, async (t) => {
      const [down] = saysOnPage(t.name);
      const house = await arrange(t, { device });
      await house.start();
      await house.connected();
      const stop = house.publishOn();
      await house.until(({ agent }) => agent.acknowledged >= 2);

      house.proxy.cut("reset");
      house.proxy.refuse();
      const isOver = wait(seconds * 1000);
      // A second is too short for a person to type a command.
      const words = await (seconds === 1 ? house.words(down) : house.says(down));
      if (seconds > 1) await house.says(/messages kept for then\.$/);
      await isOver;
      await house.proxy.accept();
      await house.connected(90);
      await stop();

      t.diagnostic(words);
      assert.equal((await house.status()).agent.connects, 2);
      assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
    });
  }

  test("the connection stays open and nothing gets through any more", async (t) => {
    // So long that the agent doubts for its whole 10 s: within them a person's command must have been started, too.
    const house = await arrange(t, { device: "half-open", bridgeSettings: { keepAliveSeconds: 14 } });
    await house.start();
    await house.connected();
    const stop = house.publishOn();
    await house.until(({ agent }) => agent.acknowledged >= 2);

    house.proxy.freeze();
    for (const words of saysOnPage(t.name)) await house.says(words, 30);
    house.proxy.thaw();
    await house.connected();
    await stop();

    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });

  test("the machine's clock is two minutes fast at the start, and two minutes slow later on", async (t) => {
    requireService(t, "faketime");
    const [fast, slow = fast] = saysOnPage(t.name);
    const house = await arrange(t, { device: "clock-off", lifetime: shortLife });
    const stepFile = join(house.folder, "wall-ahead");
    const step = (aheadSeconds: number): void => {
      writeFileSync(`${stepFile}.new`, `${aheadSeconds >= 0 ? "+" : ""}${aheadSeconds}\n`);
      renameSync(`${stepFile}.new`, stepFile);
    };
    step(120);
    await house.start({
      env: {
        LD_PRELOAD: "/usr/$LIB/faketime/libfaketimeMT.so.1",
        FAKETIME_TIMESTAMP_FILE: stepFile,
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        FAKETIME_NO_CACHE: "1",
        NO_FAKE_STAT: "1",
      },
    });
    const stop = house.publishOn();

    await house.says(fast);
    step(0);
    // A token that was refused is followed by the next within 120 s.
    await house.connected(130);
    step(-120);
    await house.says(slow);
    step(0);
    const { agent } = await house.connected(130);
    await stop();

    assert.ok((agent.tokenRemainingSeconds ?? 0) > 0);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });

  for (const [fault, device, lifetime, connects] of [
    // What is left when the chip signs again is enough for the first connection to stay.
    ["watchdog_refusal:3-14", "chip-ee", "60s", 1],
    ["ecc_fault:3-14", "chip-05", shortLife, 2],
    ["nack_storm:12-26", "chip-nack", shortLife, 2],
  ] as const) {
    test(`the chip fails for a while: ${fault}`, async (t) => {
      const [words] = saysOnPage(t.name);
      const chip = new ChipProcess(t, bridge.folder, device);
      await chip.start();
      await chip.register(bridge, device);
      await chip.kill();
      await chip.start("--fault", fault);
      const house = await arrange(t, { device, key: chip, lifetime });
      await house.start();
      await house.connected();
      const stop = house.publishOn();

      const said = await house.words(words, 90);
      await house.until(
        ({ agent }) => agent.renewals + agent.connects >= 2 && agent.trouble === undefined,
        120,
      );
      await stop();

      t.diagnostic(said);
      const { agent } = await house.connected();
      assert.equal(agent.connects, connects);
      assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
    });
  }

  test("the chip is not there at the start, comes, goes while it is needed, and comes again", async (t) => {
    const [gone] = saysOnPage(t.name);
    const device = "chip-comes-and-goes";
    const chip = new ChipProcess(t, bridge.folder, device);
    await chip.start();
    await chip.register(bridge, device);
    await chip.kill();
    const house = await arrange(t, { device, key: chip, lifetime: shortLife });
    await house.start();
    const stop = house.publishOn();

    await house.says(gone);
    await chip.start();
    await house.connected(90);
    await chip.kill();
    await house.says(gone);
    await chip.start();
    await house.connected(90);
    await stop();

    assert.equal(house.events("chip_missing"), 1);
    assert.equal(house.events("chip_found"), 1);
    assert.equal((await house.status()).agent.connects, 2);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });

  test("the disk is full before the network is back", async (t) => {
    const device = "disk-full";
    const house = await arrange(t, { device });
    const state = join(house.folder, "state");
    mkdirSync(state, { mode: 0o700 });
    // A mount that nobody else sees, and that ends with its process.
    const under = [
      "unshare",
      "--mount",
      ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
      "sh",
      "-c",
    ];
    const mount = `mount -t tmpfs -o size=3m tmpfs ${state}`;
    if (spawnSync("unshare", [...under.slice(1), mount]).status !== 0) {
      assert.ok(!isCi(), "with CI=true a small file system can be mounted");
      t.skip("this machine lets nobody mount a small file system");
      return;
    }
    await house.start({ under: [...under, `${mount} && exec "$0" "$@"`] });
    await house.connected();

    house.proxy.cut("reset");
    house.proxy.refuse();
    while (house.refusedPublishes === 0) await house.publish(65_536);
    const keptWhenFull = house.accepted.length;
    for (const words of saysOnPage(t.name)) await house.says(words);
    await house.proxy.accept();
    await house.connected(90);
    await house.until(({ agent }) => agent.queuedMessages === 0);
    await house.until(({ agent }) => agent.outboxTrouble === undefined);
    for (let i = 0; i < 5; i++) await house.publish(65_536);

    assert.ok(keptWhenFull >= 10, `${keptWhenFull} kept`);
    assert.equal(house.accepted.length, keptWhenFull + 5);
    assert.deepEqual(await house.pull(), { missing: [], twice: 0 });
  });
});

/**
 * A bridge under load whose machine's clock steps: the real engine and the real self-clock in virtual time. The test's
 * own yardstick is the world's time, of which the bridge knows only what tokens say.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryPolicy } from "@mayfly/core/token";
import fc from "fast-check";
import { rejudgedPerTurnMax } from "../src/mqtt/limits.ts";
import { createSelfClock, type SelfClock, type SelfClockEvent } from "../src/time/self-clock.ts";
import { DeviceKey, type TestClient, type VirtualTime, World } from "./bridge-world.ts";

interface Member {
  readonly id: string;
  readonly client: TestClient;
  /** When the session has to end, in the world's time. */
  readonly trueDeadlineSeconds: number;
  endedSeconds: number | undefined;
  published: number;
}

class House {
  readonly world: World;
  readonly clock: SelfClock;
  readonly events: SelfClockEvent[];
  readonly members: Member[] = [];

  private constructor(world: World, clock: SelfClock, events: SelfClockEvent[]) {
    this.world = world;
    this.clock = clock;
    this.events = events;
    world.backbone.auto = { kind: "durable", messageId: "1" };
    clock.onRederive(() => world.bridge.rederiveDeadlines());
  }

  /** @param wallAheadSeconds how wrong the machine's clock is when the bridge starts. */
  static async open(wallAheadSeconds = 0, policy: Partial<RegistryPolicy> = {}): Promise<House> {
    const events: SelfClockEvent[] = [];
    const made: SelfClock[] = [];
    const clock = (time: VirtualTime) => {
      time.stepWall(wallAheadSeconds);
      const one = createSelfClock({ clock: time, timers: time, tell: (event) => events.push(event) });
      made.push(one);
      return one;
    };
    const world = await World.create({ clock, policy });
    const [selfClock] = made;
    if (selfClock === undefined) throw new Error("the world made no clock");
    return new House(world, selfClock, events);
  }

  get trueSeconds(): number {
    return this.world.time.trueSeconds();
  }

  /** A device of its own key connects with a token it made now, by a right clock. */
  async enter(lifetimeSeconds: number, graceSeconds = 0): Promise<Member> {
    const id = `device-${this.members.length}`;
    const key = new DeviceKey("first");
    await this.world.createDevice(id, [key.record]);
    const iat = Math.floor(this.trueSeconds);
    const client = this.world.connect(this.members.length % 2 === 0 ? 4 : 5, {
      clientIdentifier: `projects/mayfly/locations/here/registries/greenhouse/devices/${id}`,
      token: key.token({ iat, exp: iat + lifetimeSeconds }),
    });
    const trueDeadlineSeconds = iat + lifetimeSeconds + graceSeconds;
    const member: Member = { id, client, trueDeadlineSeconds, endedSeconds: undefined, published: 0 };
    this.members.push(member);
    return member;
  }

  async enterMany(
    count: number,
    lifetimeOf: (index: number) => number,
    graceSeconds = 0,
  ): Promise<readonly Member[]> {
    const entered: Member[] = [];
    for (let i = 0; i < count; i++) entered.push(await this.enter(lifetimeOf(i), graceSeconds));
    return entered;
  }

  /** Lives on, second by second; each second one in thirty members publishes at QoS 1. */
  async live(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const [index, member] of this.members.entries()) {
        if (member.endedSeconds !== undefined || (index + second) % 30 !== 0) continue;
        member.published += 1;
        member.client.publish(member.published, { topic: `/devices/${member.id}/events` });
      }
      await this.world.time.advance(1_000);
      for (const member of this.members) {
        if (member.client.isClosed) member.endedSeconds ??= this.trueSeconds;
      }
    }
  }

  get ended(): number {
    return this.members.filter(({ endedSeconds }) => endedSeconds !== undefined).length;
  }

  assertEndedOnTime(): void {
    for (const { id, endedSeconds = Number.POSITIVE_INFINITY, trueDeadlineSeconds } of this.members) {
      const late = endedSeconds - trueDeadlineSeconds;
      assert.ok(Math.abs(late) <= 1, `${id} was cut ${late} s after its deadline`);
    }
  }

  assertAcknowledged(): void {
    for (const { id, client, published } of this.members) {
      const acknowledged = client.of("puback").length;
      // What was sent in the very second of the cut may be unacknowledged: the device sends it again.
      assert.ok(published - acknowledged <= 1, `${id}: ${published} published, ${acknowledged} acknowledged`);
      assert.ok(acknowledged > 0);
    }
  }
}

for (const stepSeconds of [3_600, -3_600]) {
  test(`a bridge whose clock steps ${stepSeconds} s under load cuts nobody wrongly`, async () => {
    const house = await House.open();
    await house.enterMany(300, (i) => 60 + 12 * i);
    await house.live(30);

    house.world.time.stepWall(stepSeconds);
    await house.live(20);
    const endedByTheStep = house.ended;
    const newcomers = await house.enterMany(20, () => 600);
    await house.live(3_700);

    assert.equal(endedByTheStep, 0);
    assert.deepEqual(
      newcomers.map(({ client }) => client.of("connack")[0]?.reasonCode),
      new Array<number>(20).fill(0),
    );
    house.assertEndedOnTime();
    house.assertAcknowledged();
    assert.deepEqual(
      house.events.map((event) => (event.kind === "stepped" ? [event.believes, event.because] : event.kind)),
      [["former", "witnesses"]],
    );
    assert.equal(house.clock.isTrusted, false);
  });
}

test("whatever a wrong step's size, each session ends on time and the next honest device gets in", async () => {
  const step = fc
    .tuple(fc.double({ min: Math.log(2), max: Math.log(10 * 366 * 86_400), noNaN: true }), fc.boolean())
    .map(([size, up]) => (up ? 1 : -1) * Math.exp(size));
  await fc.assert(
    fc.asyncProperty(step, fc.integer({ min: 0, max: 1_500 }), async (stepSeconds, millisBefore) => {
      const house = await House.open();
      await house.enterMany(8, (i) => 30 + 10 * i);
      await house.world.time.advance(millisBefore);

      house.world.time.stepWall(stepSeconds);
      await house.world.time.advance(2_000 - millisBefore);
      await house.enter(60);
      await house.live(110);

      house.assertEndedOnTime();
    }),
    { numRuns: 40 },
  );
});

for (const errorSeconds of [300, -300]) {
  test(`sessions admitted by a clock ${errorSeconds} s wrong end on time once a step puts it right`, async () => {
    // Skew and grace of 600 s, so that both ways a device gets in at all.
    const house = await House.open(errorSeconds, { skewSeconds: 600, graceSeconds: 600 });
    await house.enterMany(rejudgedPerTurnMax + 20, (i) => 60 + 2 * i, 600);
    await house.live(30);

    house.world.time.stepWall(-errorSeconds);
    await house.live(1_800);

    house.assertEndedOnTime();
    house.assertAcknowledged();
    assert.equal(house.clock.isTrusted, true);
  });
}

test("a bridge that believed a wrong step for want of witnesses is set right by devices it refuses", async () => {
  const house = await House.open();
  await house.enterMany(4, () => 3_000);
  await house.live(5);

  house.world.time.stepWall(86_400);
  await house.live(5);
  const refused = await house.enterMany(5, () => 600);
  await house.live(2);
  const admitted = await house.enter(600);
  await house.live(1);

  assert.ok(refused.every(({ client }) => client.isClosed && client.of("connack")[0]?.reasonCode !== 0));
  assert.equal(admitted.client.of("connack")[0]?.reasonCode, 0);
  assert.deepEqual(
    house.events.map((event) => ("believes" in event ? event.believes : event.kind)),
    ["wall", "former"],
  );
});

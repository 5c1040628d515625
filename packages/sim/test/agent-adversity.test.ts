/**
 * An agent to which everything happens: its clock is doubted and slow, its chip fails, its network breaks, and the
 * bridge refuses, drops and says nothing. What it must never do, whatever comes.
 *
 * A script in the bridge's place with a right clock and no grace; each seed is another run of bad luck.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { base64urlDecode, utf8Decode } from "@mayfly/core";
import type { ClientPacket } from "@mayfly/core/mqtt";
import { type AgentOptions, clockTime } from "@mayfly/device";
import type { SeededRandom } from "@mayfly/sim";
import { accepted, arrangeScript, type Script } from "./arrange-script.ts";

const minute = { lifetimeSeconds: 60, lifetimeFloorSeconds: 60 } as const;
/** Our clock is slow by all it admits to. */
const uncertaintySeconds = 3;
const troubledMillis = 1_800_000;

interface Conduct {
  clockIsDoubted: boolean;
  signerIsBroken: boolean;
}

function arrange(seed: string, options: Partial<AgentOptions>) {
  const conduct: Conduct = { clockIsDoubted: false, signerIsBroken: false };
  const wrongs: string[] = [];
  const refused = new Set<string>();
  let isTroubled = true;
  let signatures = 0;
  let lot: SeededRandom | undefined;
  const chance = (outOf: number): boolean => isTroubled && (lot?.between(1, outOf) ?? 0) === 1;

  const judge = (packet: ClientPacket): string => {
    const token = tokenOf(packet);
    const claims = JSON.parse(utf8Decode(base64urlDecode(token.split(".")[1] ?? "")));
    const late = world.clock.wallSeconds() - claims.exp;
    if (late >= 0) wrongs.push(`a token presented ${late} s after its end`);
    if (refused.has(token)) wrongs.push("a refused token presented again");
    return token;
  };

  const script: Script = (packet, link) => {
    if (packet.type === "connect") {
      const token = judge(packet);
      const isByMethod = packet.properties?.authenticationMethod !== undefined;
      if (chance(8)) {
        refused.add(token);
        const userProperties = [["server-time", world.clock.wallSeconds().toFixed(3)]] as const;
        const told = options.protocolVersion === 4 ? { reasonCode: 5 } : { reasonCode: 0x87 };
        link.say({
          ...accepted,
          ...told,
          ...(options.protocolVersion === 4 ? {} : { properties: { userProperties } }),
        });
        link.close();
        return "taken";
      }
      if (chance(8)) {
        link.say({ ...accepted, reasonCode: options.protocolVersion === 4 ? 3 : 0x89 });
        return "taken";
      }
      if (chance(10)) return "taken";
      link.say({ ...accepted, ...(isByMethod ? { properties: method } : {}) });
      if (chance(6)) link.close();
      return "taken";
    }
    if (packet.type === "auth") {
      const token = judge(packet);
      if (chance(4)) {
        refused.add(token);
        link.say({
          type: "disconnect",
          reasonCode: 0x87,
          properties: { reasonString: "token_from_future" },
        });
        link.close();
      } else if (!chance(6)) link.say({ type: "auth", reasonCode: 0, properties: method });
      return "taken";
    }
    return "default";
  };

  const { world, agent, of, dialer, events } = arrangeScript(
    script,
    { ...minute, ...options },
    {},
    ({ clock, timers }) => {
      const slow = { wallSeconds: () => clock.wallSeconds() - uncertaintySeconds };
      const time = clockTime({ clock: slow, timers }, { uncertaintySeconds });
      return {
        time: {
          ...time,
          readiness: () =>
            conduct.clockIsDoubted ? { kind: "waiting", because: "sources disagree" } : time.readiness(),
          correct: (_hint, settle) => timers.after(300, () => settle(chance(2) ? "corrected" : "unchanged")),
        },
        signer: {
          keyId: "k",
          signDigest: async () => {
            if (conduct.clockIsDoubted) wrongs.push("signed while the clock was not believed");
            if (conduct.signerIsBroken) throw new Error("the bus hangs");
            signatures += 1;
            return new Uint8Array(64)
              .fill(1)
              .fill(signatures % 256, 1, 2)
              .fill(signatures >> 8, 2, 3);
          },
        },
      };
    },
    seed,
  );
  lot = world.random("lot");

  const upset = world.random("upset");
  for (let at = 1_000; at < troubledMillis; at += upset.between(500, 20_000)) {
    const [what, isOn] = [upset.between(1, 5), upset.between(0, 1) === 1];
    world.timers.after(at, () => {
      if (what === 1) conduct.clockIsDoubted = isOn;
      if (what === 2) conduct.signerIsBroken = isOn;
      if (what === 3) dialer.setRefusing(isOn);
      if (what === 4) dialer.cut("ECONNRESET");
      if (what === 5) dialer.silence();
    });
  }
  world.timers.after(troubledMillis, () => {
    isTroubled = false;
    conduct.clockIsDoubted = false;
    conduct.signerIsBroken = false;
    dialer.setRefusing(false);
  });
  return { world, agent, of, events, wrongs };
}

const method = { authenticationMethod: "mayfly-jwt" } as const;

function tokenOf(packet: ClientPacket): string {
  if (packet.type === "auth") return utf8Decode(packet.properties?.authenticationData ?? new Uint8Array());
  if (packet.type !== "connect") return "";
  return utf8Decode(packet.password ?? packet.properties?.authenticationData ?? new Uint8Array());
}

for (const [name, options] of [
  ["MQTT 5", {}],
  ["MQTT 3.1.1", { protocolVersion: 4 }],
  ["MQTT 3.1.1, Session kept", { protocolVersion: 4, cleanSession: false }],
] as const) {
  test(`${name}: through half an hour of everything going wrong no dead or refused token is presented, nothing is signed by a doubted clock, and the agent comes back by itself`, async () => {
    let connects = 0;
    for (let run = 1; run <= 12; run++) {
      const { world, agent, of, wrongs } = arrange(`adversity ${run}`, options);

      agent.start();
      await world.run(troubledMillis + 660_000);

      assert.deepEqual(wrongs, [], `seed "adversity ${run}"`);
      assert.equal(agent.status().state, "connected", `seed "adversity ${run}"`);
      const tries = of("connect").length;
      assert.ok(tries < 600, `${tries} CONNECTs in 40 minutes, seed "adversity ${run}"`);
      connects += tries;
      agent.stop();
    }
    assert.ok(connects > 250, `${connects} CONNECTs: too little went wrong`);
  });
}

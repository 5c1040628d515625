/**
 * What the tests of signed time stand on: roots, key files and delegations made by the product, a clock to move, and
 * the device's own verification of what comes out.
 */
import { createPublicKey, verify } from "node:crypto";
import { encodeTimeRequest, type VerifiedTime, verifyTimeAnswer } from "@mayfly/core/time-answer";
import { makeTimeKeyFile, makeTimeRoot, parseTimeKeyFile, pointOf } from "../src/host/time-key-file.ts";
import type { OnlineTimeKey, OwnClock, TimeRefusal, TimeWay } from "../src/time/time-answerer.ts";
import { nodeSha256 } from "./http/admin-house.ts";

export const startMillis = 1_800_000_000_000;
export const dayMillis = 86_400_000;
export const nonce = new Uint8Array(32).fill(0x2a);
export const request = encodeTimeRequest(nonce);
export const root = makeTimeRoot();
export const pin = pointOf(createPublicKey(root.publicPem));

/** The text of a key file whose delegation is made at `startMillis` and lasts a week. */
export function keyFileText(
  change: { readonly rootPem?: string; readonly nowMillis?: number; readonly lifetimeMillis?: number } = {},
): string {
  return makeTimeKeyFile({
    rootPem: root.privatePem,
    nowMillis: startMillis,
    lifetimeMillis: 7 * dayMillis,
    ...change,
  });
}

/** A clock that the test moves, and that may be distrusted. */
export class TestClock implements OwnClock {
  wallMillis = startMillis;
  monotonic = 0;
  isTrusted = true;

  wallSeconds(): number {
    return this.wallMillis / 1000;
  }

  monotonicMillis(): number {
    return this.monotonic;
  }
}

/** Ports of an answerer, and what its observer was told: `udp answered`, `https rate_limited` … */
export function timePorts() {
  const clock = new TestClock();
  const told: string[] = [];
  const holder: { key: OnlineTimeKey | undefined } = { key: parseTimeKeyFile(keyFileText()) };
  const observer = {
    timeAsked: ({ way, outcome }: { way: TimeWay; outcome: "answered" | TimeRefusal }) =>
      void told.push(`${way} ${outcome}`),
  };
  return { clock, ownClock: clock, holder, findKey: () => holder.key, observer, told };
}

/** Verifies as a device does that pinned {@link pin} and asked with {@link nonce}. */
export function verifyAsDevice(
  bytes: Uint8Array,
  change: { readonly pin?: Uint8Array } = {},
): Promise<VerifiedTime> {
  return verifyTimeAnswer(
    bytes,
    { nonce, pins: [change.pin ?? pin], roundTripMillis: 0, limitMillis: 10_000 },
    {
      sha256: nodeSha256,
      verifier: {
        verifyMessage(point, message, signature) {
          const part = (at: number) => Buffer.from(point.subarray(at, at + 32)).toString("base64url");
          const key = createPublicKey({
            key: { kty: "EC", crv: "P-256", x: part(0), y: part(32) },
            format: "jwk",
          });
          return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
        },
      },
    },
  );
}

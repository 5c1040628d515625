import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drawShare, isWorthMinting, renewalDueMillis, safeUntilMillis } from "./renewal.ts";

/** Of a token issued at 0 by an exact clock. */
const hour = { lifetimeMillis: 3_600_000, safeMillis: 3_600_000, pauseMillis: 5_500 };
const minutes = (count: number): number => count * 60_000;

const shares = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const lifetimes = fc.integer({ min: 10, max: 86_400 });
const instants = fc.double({ min: -1e12, max: 1e12, noNaN: true });

test("without a window an hour's token is renewed between 50 and 55 minutes, whatever its lot", () => {
  fc.assert(
    fc.property(shares, (share) => {
      const due = renewalDueMillis({ ...hour, share });

      assert.ok(due >= minutes(50) && due <= minutes(55));
    }),
  );
});

test("a minute's token is renewed between 50 and 55 seconds", () => {
  const minute = { ...hour, lifetimeMillis: 60_000, safeMillis: 60_000 };

  assert.equal(renewalDueMillis({ ...minute, share: 0 }), 50_000);
  assert.ok(renewalDueMillis({ ...minute, share: 0.999 }) < 55_000);
});

test("what the clock may be wrong by makes the whole span earlier", () => {
  const uncertain = { ...hour, safeMillis: 3_600_000 - 90_000 };

  assert.equal(renewalDueMillis({ ...uncertain, share: 0 }), minutes(48.5));
  assert.ok(renewalDueMillis({ ...uncertain, share: 0.999 }) < minutes(53.5));
});

test("a token is safe until our clock, as slow as it may have become by then, reaches exp", () => {
  const time = { uncertaintySecondsAt: (millis: number) => 2 + millis / 1e6 };

  assert.equal(safeUntilMillis(3_600_000, time), 3_600_000 - 5_600);
});

test("a token that would have to be renewed within a quarter of its lifetime is not worth minting", () => {
  const hours = { iat: 0, exp: 3_600 };

  assert.equal(isWorthMinting({ ...hours, safeMillis: minutes(20) }, 0), true);
  assert.equal(isWorthMinting({ ...hours, safeMillis: minutes(20) - 1 }, 0), false);
});

test("for every lifetime, window, acceptance and lot the renewal is before the token's deadline", () => {
  fc.assert(
    fc.property(
      lifetimes,
      instants,
      fc.double({ min: 0, max: 1e12, noNaN: true }),
      fc.option(instants, { nil: undefined }),
      shares,
      (lifetimeSeconds, fromMillis, widthMillis, acceptedMillis, share) => {
        const expiresMillis = lifetimeSeconds * 1000;

        const due = renewalDueMillis({
          lifetimeMillis: expiresMillis,
          safeMillis: expiresMillis,
          share,
          pauseMillis: 5_500,
          window: { fromMillis, untilMillis: fromMillis + widthMillis },
          ...(acceptedMillis === undefined ? undefined : { acceptedMillis }),
        });

        assert.ok(due <= (expiresMillis * 11) / 12);
      },
    ),
  );
});

test("in a window that ends in time the renewal is drawn from it", () => {
  fc.assert(
    fc.property(shares, (share) => {
      const window = { fromMillis: minutes(20), untilMillis: minutes(30) };

      const due = renewalDueMillis({ ...hour, share, acceptedMillis: 0, window });

      assert.ok(due >= window.fromMillis && due <= window.untilMillis);
    }),
  );
});

test("a window in the past brings the next renewal a twelfth of the lifetime after the acceptance, not at once", () => {
  const window = { fromMillis: -minutes(60), untilMillis: -minutes(50) };

  const due = renewalDueMillis({ ...hour, share: 0.5, acceptedMillis: minutes(1), window });

  assert.equal(due, minutes(6));
});

test("a token accepted shortly before its renewal is used for the pause, where its lifetime allows", () => {
  const accepted = (acceptedMillis: number): number =>
    renewalDueMillis({ ...hour, share: 0, acceptedMillis });

  assert.equal(accepted(minutes(50) - 1_000), minutes(50) + 4_500);
  assert.equal(accepted(minutes(55) - 1_000), minutes(55));
});

test("a share is drawn from 0 to below 1, from 32 bits", () => {
  assert.equal(drawShare({ fill: (bytes) => bytes.fill(0) }), 0);
  assert.equal(drawShare({ fill: (bytes) => bytes.fill(0xff) }), 1 - 2 ** -32);
});

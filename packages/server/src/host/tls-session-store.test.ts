import assert from "node:assert/strict";
import { test } from "node:test";
import { isTls13Session, TlsSessionStore, tlsSessionLifetimeMillis } from "./tls-session-store.ts";

test("the oldest session leaves when the store is full", () => {
  const store = new TlsSessionStore({ monotonicMillis: () => 0, max: 2 });

  for (const id of ["a", "b", "c"]) store.put(Buffer.from(id), Buffer.from(id));

  assert.equal(store.size, 2);
  assert.equal(store.take(Buffer.from("a")), undefined);
  assert.equal(store.take(Buffer.from("c"))?.toString(), "c");
});

test("a session is not resumed after its lifetime", () => {
  let now = 0;
  const store = new TlsSessionStore({ monotonicMillis: () => now });
  store.put(Buffer.from("a"), Buffer.from("a"));

  now = tlsSessionLifetimeMillis;

  assert.equal(store.take(Buffer.from("a")), undefined);
  assert.equal(store.size, 0);
});

test("a TLS 1.3 session is told from a TLS 1.2 one by the version in its DER", () => {
  assert.equal(isTls13Session(Buffer.from("3081f00201010202030402021301", "hex")), true);
  assert.equal(isTls13Session(Buffer.from("3081f00201010202030302021301", "hex")), false);
  assert.equal(isTls13Session(Buffer.from("308201f00201010202030402021301", "hex")), true);
  assert.equal(isTls13Session(Buffer.alloc(0)), false);
});

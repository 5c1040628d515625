import assert from "node:assert/strict";
import test from "node:test";
import { refusalOnWire } from "./refusal-on-wire.ts";

test("every refusal looks the same on the wire", () => {
  const looks = new Set(
    Object.values(refusalOnWire).map(({ mqtt5, mqtt311, http }) => `${mqtt5} ${mqtt311} ${http}`),
  );

  assert.deepEqual([...looks], [`${0x87} ${0x05} 403`]);
});

test("only the refusals a wrong clock may cause are named to the peer", () => {
  const named = Object.entries(refusalOnWire).filter(([, row]) => row.named);

  assert.deepEqual(
    named.map(([code]) => code),
    ["token_from_future", "token_expired"],
  );
});

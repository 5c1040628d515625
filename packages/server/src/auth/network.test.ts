import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { networkOf, sourceOf } from "./network.ts";

test("an IPv4 peer is one source, whichever way its address is written", () => {
  assert.equal(sourceOf("192.0.2.1"), "192.0.2.1");
  assert.equal(sourceOf("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(networkOf("192.0.2.1"), networkOf("192.0.2.254"));
  assert.notEqual(networkOf("192.0.2.1"), networkOf("192.0.3.1"));
});

test("all addresses of an IPv6 subnet are one source, and its zone is no part of it", () => {
  assert.equal(sourceOf("2001:db8:0:1::1"), sourceOf("2001:0DB8:0000:0001:ffff:ffff:ffff:ffff"));
  assert.notEqual(sourceOf("2001:db8:0:1::1"), sourceOf("2001:db8:0:2::1"));
  assert.equal(networkOf("2001:db8:0:1::1"), networkOf("2001:db8:0:2::1"));
  assert.equal(sourceOf("fe80::1%eth0"), sourceOf("fe80::2"));
});

test("two IPv6 addresses are one source exactly where Node's own subnet check says so", () => {
  const group = fc.constantFrom("0", "1", "db8", "2001", "ffff");
  const address = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":"));
  fc.assert(
    fc.property(address, address, (one, other) => {
      const subnet = new BlockList();
      subnet.addSubnet(one, 64, "ipv6");

      assert.equal(sourceOf(one) === sourceOf(other), subnet.check(other, "ipv6"));
    }),
  );
});

test("what is no address stands for itself, up to a length", () => {
  assert.equal(sourceOf("in memory"), "in memory");
  assert.equal(sourceOf("x".repeat(1_000)).length, 64);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, RecordingBus, toHex } from "../test/recording-bus.ts";
import * as trace from "../test/traces.ts";
import { Atecc608, slotSigner } from "./signer.ts";

test("the signer of slot 0 gives R and S of a digest, under the key's name", async () => {
  const bus = new RecordingBus([trace.config0, trace.success, trace.signatureAnswer]);

  const signer = slotSigner(new Atecc608(bus, { time: bus }), { slot: 0, keyId: "slot-0" });

  assert.equal(signer.keyId, "slot-0");
  assert.equal(toHex(await signer.signDigest(fromHex(trace.digest))), trace.spaced(trace.signature));
});

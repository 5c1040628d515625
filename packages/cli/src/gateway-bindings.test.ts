import assert from "node:assert/strict";
import { test } from "node:test";
import { AdminApiError, type AdminClient, createAdminClient } from "@mayfly/core/admin";
import { CommandFailure } from "./failure.ts";
import { unbindAll } from "./gateway-bindings.ts";

const place = { project: "mayfly", location: "lab", registry: "plant" };

/** The admin API's answers to what unbinding asks, over a set of bound devices. */
function clientOver(
  bound: Set<string>,
  unbind: (device: string) => number,
): { readonly client: AdminClient; readonly mostAtOnce: () => number } {
  let [atOnce, most] = [0, 0];
  const client = createAdminClient({
    baseUrl: "https://bridge",
    token: "t",
    async fetch(_url, { method, body }) {
      if (method === "GET") {
        const devices = [...bound].slice(0, 500).map((id) => ({ id, numId: "1", name: id }));
        return { status: 200, text: async () => JSON.stringify({ devices }), body: null };
      }
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise(setImmediate);
      atOnce -= 1;
      const { deviceId } = JSON.parse(body ?? "{}") as { deviceId: string };
      const status = unbind(deviceId);
      const error = { code: status, status: status === 404 ? "NOT_FOUND" : "INTERNAL", message: "no" };
      return { status, text: async () => JSON.stringify(status === 200 ? {} : { error }), body: null };
    },
  });
  return { client, mostAtOnce: () => most };
}

test("1,200 devices are unbound, at most 8 calls at once", async () => {
  const bound = new Set(Array.from({ length: 1_200 }, (_, n) => `dev-${n}`));
  const { client, mostAtOnce } = clientOver(bound, (device) => {
    bound.delete(device);
    return 200;
  });

  const count = await unbindAll(client, place, { boundToGateway: "gw-1" });

  assert.deepEqual([count, bound.size, mostAtOnce()], [1_200, 0, 8]);
});

test("a device somebody else unbinds meanwhile is no failure", async () => {
  const bound = new Set(["dev-1", "dev-2"]);
  const { client } = clientOver(bound, (device) => {
    bound.delete(device);
    return device === "dev-1" ? 404 : 200;
  });

  assert.equal(await unbindAll(client, place, { boundToGateway: "gw-1" }), 1);
});

test("whoever binds faster than we unbind does not keep us for ever", async () => {
  const { client } = clientOver(new Set(["dev-1"]), () => 200);

  await assert.rejects(
    unbindAll(client, place, { gatewaysOfDevice: "dev-1" }),
    (error) => error instanceof CommandFailure && error.code === "server_answer",
  );
});

test("another refusal ends it", async () => {
  const { client } = clientOver(new Set(["dev-1"]), () => 500);

  await assert.rejects(unbindAll(client, place, { boundToGateway: "gw-1" }), AdminApiError);
});

/**
 * Gateways on the command line, against a server that runs as a process of its own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mayfly, startMayfly, temporaryFolder } from "./mayfly.ts";

test("a gateway's life: made, given devices, relieved of them, deleted", async (t) => {
  const cwd = await temporaryFolder(t);
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  const run = (...args: readonly string[]) => mayfly(t, args, { cwd });
  const at = ["--registry", "plant"];
  const json = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(...args, ...at, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const devicesOf = async (gateway: string) => {
    const { devices } = await json("gateway", "devices", gateway);
    return (devices as readonly { id: string }[]).map(({ id }) => id);
  };
  await server.line(() => true);
  await run("registry", "create", "plant");
  for (const id of ["tomato", "basil", "mint"]) await json("device", "create", id);

  await t.test("device create --gateway makes one, and gateway list shows it with its method", async () => {
    await json("device", "create", "shed", "--gateway", "association-and-device-auth-token");
    const { gateways } = await json("gateway", "list");

    const shown = (gateways as readonly { id: string; gatewayConfig: unknown }[]).map(
      ({ id, gatewayConfig }) => ({ id, gatewayConfig }),
    );
    const gatewayConfig = {
      gatewayType: "GATEWAY",
      gatewayAuthMethod: "ASSOCIATION_AND_DEVICE_AUTH_TOKEN",
    };
    assert.deepEqual(shown, [{ id: "shed", gatewayConfig }]);
  });

  await t.test("bind takes many devices, unbind some of them", async () => {
    await json("gateway", "bind", "shed", "tomato", "basil", "mint");
    const bound = await devicesOf("shed");
    await json("gateway", "unbind", "shed", "basil");

    assert.deepEqual(bound, ["basil", "mint", "tomato"]);
    assert.deepEqual(await devicesOf("shed"), ["mint", "tomato"]);
  });

  await t.test("unbind wants devices or --all, and not both", async () => {
    const neither = await run("gateway", "unbind", "shed", ...at);
    const both = await run("gateway", "unbind", "shed", "mint", "--all", ...at);

    assert.deepEqual([neither.code, both.code], [2, 2]);
    assert.match(neither.stderr, /name the devices to unbind, or give --all/);
    assert.deepEqual(await devicesOf("shed"), ["mint", "tomato"]);
  });

  await t.test("unbind --all leaves the gateway with none", async () => {
    const { unbound } = await json("gateway", "unbind", "shed", "--all");

    assert.equal(unbound, 2);
    assert.deepEqual(await devicesOf("shed"), []);
  });

  await t.test("what is bound is deleted with --force only, gateway or device", async () => {
    await json("device", "create", "barn", "--gateway", "association-only");
    await json("gateway", "bind", "shed", "tomato", "basil");
    await json("gateway", "bind", "barn", "basil");

    const refused = await run("device", "delete", "shed", ...at);
    const device = await json("device", "delete", "basil", "--force");
    const gateway = await json("device", "delete", "shed", "--force");

    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /unbind first/);
    assert.deepEqual([device["unbound"], gateway["unbound"]], [2, 1]);
    const { devices } = await json("device", "list");
    assert.deepEqual(
      (devices as readonly { id: string }[]).map(({ id }) => id),
      ["barn", "mint", "tomato"],
    );
  });

  server.kill("SIGTERM");
  assert.equal((await server.ended).code, 0);
});

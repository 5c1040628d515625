/**
 * The release as a customer meets it: tarballs, an empty folder, `npm install`, `mayfly demo`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, runProgram } from "../tools/program.ts";
import { buildRelease, packRelease, runNpm } from "../tools/release/build.ts";
import { isCi } from "../tools/services.ts";

const DEMO_SECONDS = 25;

type DemoLine = {
  readonly devices: readonly {
    readonly id: string;
    readonly renewals: number;
    readonly sent: number;
    readonly acked: number;
    readonly lost: number;
  }[];
};

test("the packed tarballs, installed in an empty folder, run a demo that renews and loses nothing", async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "mayfly-release-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));

  const packages = await buildRelease(join(ROOT, ".build/release"));
  const tarballs = await packRelease(packages, join(folder, "tarballs"));
  const customer = join(folder, "customer");
  await t.test(
    "npm installs them, with their outside libraries and nothing of ours from elsewhere",
    async (t) => {
      await runProgram("mkdir", [customer]);
      writeFileSync(join(customer, "package.json"), `{"private":true,"type":"module"}`);
      try {
        await runNpm(["install", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs], customer);
      } catch (error) {
        const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(error));
        if (unreachable && !isCi()) t.skip("the npm registry cannot be reached");
        throw error;
      }
    },
  );

  await t.test("the agent's systemd unit comes with the command", () => {
    const unit = join(customer, "node_modules/@mayfly/cli/systemd/mayfly-agent.service");

    assert.match(readFileSync(unit, "utf8"), /^ExecStart=mayfly agent --config /m);
  });

  await t.test("a customer's program compiles against the published types", async () => {
    const program = `
      import { parseDeviceName, type DeviceName } from "@mayfly/core";
      import { policyPresets } from "@mayfly/core/token";
      export const name: DeviceName = parseDeviceName("projects/p/locations/l/registries/r/devices/d");
      export const skewSeconds: number = policyPresets.strict.skewSeconds;
    `;
    writeFileSync(join(customer, "program.ts"), program);
    const flags = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--types", ""];

    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const end = await runProgram(process.execPath, [tsc, ...flags, "program.ts"], { cwd: customer });

    assert.equal(end.stdout, "");
  });

  await t.test("mayfly demo runs there: every device renewed, nothing lost", async () => {
    const mayfly = join(customer, "node_modules/.bin/mayfly");
    const args = [
      mayfly,
      "demo",
      "--for",
      String(DEMO_SECONDS),
      "--json",
      "--ports",
      "auto",
      "--data",
      "demo-data",
    ];

    const end = await runProgram(process.execPath, args, { cwd: customer });

    assert.equal(end.code, 0, end.stderr);
    const lines = end.stdout.trim().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "") as DemoLine;
    assert.equal(last.devices.length, 5);
    for (const { id, acked, lost } of last.devices) {
      assert.ok(acked > 0, `${id} had nothing acknowledged`);
      assert.equal(lost, 0, `${id} lost messages`);
    }
    assert.ok(
      last.devices.some(({ renewals }) => renewals > 0),
      "nothing was renewed",
    );
  });
});

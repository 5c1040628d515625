import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareVersions,
  judgeBackupRoot,
  judgeCertificate,
  judgeClock,
  judgeDisk,
  judgeFolder,
  judgeHealth,
  judgeNode,
  judgeProcess,
  judgeSignedTime,
  judgeSqlite,
  judgeTimeDelegation,
} from "./doctor-checks.ts";

test("versions are compared by their numbers, not by their letters", () => {
  assert.ok(compareVersions("3.51.10", "3.51.3") > 0);
  assert.ok(compareVersions("3.9.0", "3.51.3") < 0);
  assert.equal(compareVersions("24.0", "24.0.0"), 0);
});

test("each check is ok, a warning or a failure at its bounds, and only an ok one has no advice", () => {
  const folder = { path: "d", exists: true, open: [], isOwn: true };
  const cases = [
    [judgeNode("26.1.0"), "ok"],
    [judgeNode("22.9.0"), "fail"],
    [judgeSqlite("3.51.3"), "ok"],
    [judgeSqlite("3.51.2"), "fail"],
    [judgeSqlite(undefined), "fail"],
    [judgeTimeDelegation(undefined), "ok"],
    [judgeTimeDelegation(7 * 86_400), "ok"],
    [judgeTimeDelegation(7 * 86_400 - 1), "warn"],
    [judgeTimeDelegation(0), "fail"],
    [judgeSignedTime({ offsetSeconds: -1, uncertaintySeconds: 1 }), "ok"],
    [judgeSignedTime({ offsetSeconds: -1.1, uncertaintySeconds: 1 }), "warn"],
    [judgeSignedTime({ because: "clock_untrusted" }), "fail"],
    [judgeFolder(folder), "ok"],
    [judgeFolder({ ...folder, exists: false }), "warn"],
    [judgeFolder({ ...folder, open: ["registry.db"] }), "fail"],
    [judgeFolder({ ...folder, isOwn: false }), "fail"],
    [judgeDisk(2 ** 31), "ok"],
    [judgeDisk(2 ** 29), "warn"],
    [judgeDisk(2 ** 20), "fail"],
    [judgeBackupRoot(undefined), "ok"],
    [judgeBackupRoot("d/identity/carry-away"), "warn"],
    [judgeHealth("https://b/healthz", 200, '{"status":"ok","checks":[{"name":"registry"}]}'), "ok"],
    [judgeHealth("https://b/healthz", 200, "<html>"), "ok"],
    [
      judgeHealth("https://b/healthz", 200, '{"checks":[{"name":"clock_self","because":"it was set"}]}'),
      "warn",
    ],
    [judgeHealth("https://b/healthz", 503, ""), "fail"],
    [judgeProcess(1, true), "ok"],
    [judgeProcess(1, false), "fail"],
    [judgeProcess(undefined, false), "warn"],
    [judgeCertificate("mqtts", 90 * 86_400), "ok"],
    [judgeCertificate("mqtts", 13 * 86_400), "warn"],
    [judgeCertificate("mqtts", 0), "fail"],
    [judgeClock(-4.9), "ok"],
    [judgeClock(5), "warn"],
    [judgeClock(-90), "fail"],
  ] as const;

  for (const [check, expected] of cases) {
    assert.equal(check.status, expected, JSON.stringify(check));
    assert.equal(check.advice === undefined, expected === "ok", JSON.stringify(check));
  }
});

test("a server that is well but in doubt has its reason told", () => {
  const answer = JSON.stringify({
    status: "ok",
    checks: [
      { name: "registry", healthy: true },
      { name: "clock_self", healthy: true, because: "this machine's clock was set" },
    ],
  });

  const { message } = judgeHealth("https://b/healthz", 200, answer);

  assert.equal(message, "the server is well, but in doubt: clock_self, this machine's clock was set");
});

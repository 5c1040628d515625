import assert from "node:assert/strict";
import { test } from "node:test";
import { TestReport } from "./test-report.ts";

function report() {
  const lines: string[] = [];
  const it = new TestReport((line) => lines.push(line));
  const take = (type: string, name: string, more: object = {}) =>
    it.take({ type, data: { name, file: "/a.test.ts", nesting: 1, details: { duration_ms: 1 }, ...more } });
  return { it, take, lines };
}

test("the closing line counts tests: passed, failed, skipped; neither suites nor files", () => {
  const { it, take, lines } = report();
  take("test:pass", "one");
  take("test:pass", "a suite", { details: { duration_ms: 1, type: "suite" } });
  take("test:pass", "/a.test.ts", { nesting: 0 });
  take("test:pass", "later", { skip: "no strace here" });
  take("test:fail", "two", { details: { duration_ms: 1, error: new Error("it broke") } });

  const isGood = it.end({ skipsFail: false });

  assert.equal(isGood, false);
  assert.equal(lines.at(-1), "1 passed, 1 failed, 1 skipped");
});

test("a skip is good outside CI, and in CI only with a reason no set-up can mend", () => {
  for (const [reason, isGoodInCi] of [
    ["strace is missing", false],
    ["cannot be tested here: root reads everything", true],
  ] as const) {
    for (const skipsFail of [false, true]) {
      const { it, take, lines } = report();
      take("test:pass", "one");
      take("test:pass", "later", { skip: reason });

      assert.equal(it.end({ skipsFail }), !skipsFail || isGoodInCi);
      assert.ok(lines.some((line) => line.startsWith("skipped: ") && line.endsWith(`later: ${reason}`)));
    }
  }
});

test("a run without a test is no green run", () => {
  assert.equal(report().it.end({ skipsFail: false }), false);
});

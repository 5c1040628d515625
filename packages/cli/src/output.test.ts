import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createOutput,
  formatDuration,
  formatPayload,
  formatRelative,
  formatTable,
  type TextSink,
} from "./output.ts";

class Recorder implements TextSink {
  readonly isTerminal = false;
  readonly columns = 80;
  out = "";
  error = "";
  write(text: string): void {
    this.out += text;
  }
  writeError(text: string): void {
    this.error += text;
  }
}

test("with --json a result is one JSON value on one line, without it the text", () => {
  const [forPeople, forPrograms] = [new Recorder(), new Recorder()];

  createOutput(forPeople, { json: false }).result({ a: 1 }, () => "one");
  createOutput(forPrograms, { json: true }).result({ a: 1 }, () => "one");

  assert.equal(forPeople.out, "one\n");
  assert.equal(forPrograms.out, '{"a":1}\n');
});

test("a remark never mixes with the result", () => {
  const sink = new Recorder();

  createOutput(sink, { json: true }).remark("mind this");

  assert.equal(sink.out, "");
  assert.equal(sink.error, "mind this\n");
});

test("a table's columns are as wide as their widest cell, and numbers stand to the right", () => {
  const table = formatTable(
    ["NAME", "N"],
    [
      ["a", "5"],
      ["longer", "10"],
    ],
  );

  assert.equal(table, "NAME     N\na        5\nlonger  10");
});

test("a payload that is no UTF-8, or could write to the terminal, is shown in base64", () => {
  assert.equal(formatPayload(Buffer.from("21.5 °C")), "21.5 °C");
  assert.equal(formatPayload(Buffer.from([0xff, 0xfe])), "base64://4=");
  assert.equal(formatPayload(Buffer.from("\u001b[2J")), "base64:G1sySg==");
  assert.equal(formatPayload(Buffer.from("\u009b2J")), "base64:wpsySg==");
});

test("durations have two units at most, and say which side of now they lie on", () => {
  assert.equal(formatDuration(0), "0 s");
  assert.equal(formatDuration(90), "1 min 30 s");
  assert.equal(formatDuration(86_400 + 61), "1 d");
  assert.equal(formatRelative(-3_600), "1 h ago");
  assert.equal(formatRelative(59.6), "in 1 min");
});

/**
 * The reference names every command, and every flag a command has of its own.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Command } from "commander";
import { createProgram } from "../src/program.ts";

const text = readFileSync(new URL("../../../docs/reference/cli.md", import.meta.url), "utf8");
/** Flags the table calls by the name of their group. */
const serverFlags = ["--url", "--token", "--ca", "--data"];
const chipFlags = ["--i2c", "--socket"];
const registryFlags = ["--project", "--location", "--registry"];

function leaves(command: Command, path: readonly string[]): readonly { command: Command; path: string }[] {
  const own = command.commands.filter((child) => child.name() !== "help");
  // A group has no flags but --json; `agent` is a command and holds another.
  const isCommand =
    own.length === 0 || command.options.some(({ long }) => long !== "--json" && long !== "--version");
  return [
    ...(isCommand ? [{ command, path: path.join(" ") }] : []),
    ...own.flatMap((child) => leaves(child, [...path, child.name()])),
  ];
}

for (const { command, path } of leaves(createProgram("0.0.0"), [])) {
  test(`the reference has a row for mayfly ${path}, with exactly its flags`, () => {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${path}\``));
    assert.ok(row, `no row for ${path}`);
    const [, , flags = ""] = row.split("|");

    const named = new Set(flags.match(/--[a-z0-9-]+/g) ?? []);
    if (/\bserver\b/.test(flags)) for (const flag of serverFlags) named.add(flag);
    if (/\bregistry\b(?!`)/.test(flags.replaceAll("--registry", "")))
      for (const flag of registryFlags) named.add(flag);

    if (/^ chip\b/.test(flags)) for (const flag of chipFlags) named.add(flag);

    const has = new Set(
      command.options.map((option) => option.long ?? "").filter((flag) => flag !== "--json"),
    );
    assert.deepEqual([...named].sort(), [...has].sort());
  });
}

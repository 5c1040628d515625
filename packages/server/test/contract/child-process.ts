/** Child processes for tests: started with this Node, read line by line, ended by their own id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export function startChild(script: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(`./child/${script}`, import.meta.url));
  return spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Kills the child with no chance to tidy up once it has written `count` lines. @returns all whole lines. */
export async function killAfterLines(child: ChildProcess, count: number): Promise<readonly string[]> {
  const lines: string[] = [];
  if (child.stdout === null) throw new Error("the child has no standard output");
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    lines.push(line);
    if (lines.length === count) child.kill("SIGKILL");
  });
  await Promise.all([once(child, "exit"), once(reader, "close")]);
  return lines;
}

/** Also of a child that has ended already. */
export async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const [code] = await once(child, "exit");
  return code;
}

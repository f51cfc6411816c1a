import { Command } from "commander";
import { inspectMachine } from "../environment/machine.ts";
import { type Python, probePython, pythonProblems } from "../environment/python.ts";
import { MoestroError } from "../errors.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { cacheDirectory, stateDirectory } from "../state-directory.ts";

const GIB = 1024 ** 3;

type Check = { name: string; ok: boolean; text: string };

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("say what this machine has and what it lacks")
    .option("--json", "one JSON object", false)
    .action(async (options: { json: boolean }) => {
      const checks = await examine();
      if (options.json) console.log(JSON.stringify({ checks }, null, 2));
      else
        for (const { ok, name, text } of checks)
          console.log(`${ok ? "ok  " : "MISS"} ${name}: ${text}`);
      if (checks.some((check) => !check.ok)) {
        throw new MoestroError("environment", "something is missing: see the lines marked MISS");
      }
    });
}

async function examine(): Promise<Check[]> {
  const machine = await inspectMachine(process.cwd());
  const { gpus } = machine;
  return [
    { name: "node", ok: true, text: process.version },
    ...(await examinePython()),
    { name: "processors", ok: true, text: `${machine.cpus}` },
    { name: "memory", ok: true, text: `${(machine.memoryBytes / GIB).toFixed(1)} GiB` },
    {
      name: "gpus",
      ok: true,
      text:
        gpus.length === 0
          ? "none found; training runs on the CPU"
          : gpus.map((gpu) => `${gpu.name} (${(gpu.memoryBytes / GIB).toFixed(0)} GiB)`).join(", "),
    },
    {
      name: "disk",
      ok: machine.freeDiskBytes > GIB / 4,
      text: `${(machine.freeDiskBytes / GIB).toFixed(1)} GiB free in ${process.cwd()}`,
    },
    await attempt("certificate authority", async () => {
      await loadAuthority(stateDirectory(), new Date());
      return `${stateDirectory()}`;
    }),
    await attempt("cache", async () => cacheDirectory()),
  ];
}

async function examinePython(): Promise<Check[]> {
  let python: Python;
  try {
    python = await probePython();
  } catch (error) {
    return [{ name: "python", ok: false, text: (error as Error).message }];
  }
  const problems = pythonProblems(python).map((text) => ({ name: "python", ok: false, text }));
  const { executable, versions } = python;
  const found = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [{ name: "python", ok: true, text: `${executable}: ${found.join(", ")}` }, ...problems];
}

async function attempt(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, text: await look() };
  } catch (error) {
    return { name, ok: false, text: (error as Error).message };
  }
}

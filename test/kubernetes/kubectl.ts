import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { pythonExecutable } from "../../coordinator/environment/python.ts";

/** Whom kubectl talks to, and as whom. */
type Target = { kubeconfig: string };
export type Output = { exitCode: number; stdout: string; stderr: string };

/** The one that `npm run setup` installs for tests beside Python, else the machine's own. */
const INSTALLED = join(dirname(pythonExecutable()), "kubectl");
const KUBECTL = existsSync(INSTALLED) ? INSTALLED : "kubectl";

/** Why tests with the real kubectl cannot run here; undefined where they can. */
export function whyNoKubectl(): string | undefined {
  try {
    execFileSync(KUBECTL, ["version", "--client"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "kubectl is not installed";
  }
}

/** Runs the real kubectl as the cluster's admin. */
export function kubectl(
  { kubeconfig }: Target,
  args: readonly string[],
  input?: string,
): Promise<Output> {
  // A folder of the test's own for what kubectl remembers of discovery.
  return run([`--cache-dir=${kubeconfig}.cache`, ...args], kubeconfig, input);
}

/** What a folder with a kustomization makes, as YAML; takes no cluster. */
export async function kustomize(folder: string): Promise<string> {
  const { exitCode, stdout, stderr } = await run(["kustomize", folder]);
  if (exitCode !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return stdout;
}

function run(args: readonly string[], kubeconfig = "/dev/null", input = ""): Promise<Output> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, KUBECONFIG: kubeconfig }, timeout: 60_000 };
    const child = execFile(KUBECTL, [...args], options, (error, stdout, stderr) => {
      const exitCode = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ exitCode, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** One that goes on until it is done or ended: a watch, a wait. Its output is the caller's. */
export function startKubectl({ kubeconfig }: Target, args: readonly string[]): ChildProcess {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const stdio = ["ignore", "pipe", "pipe"] as const;
  return spawn(KUBECTL, [`--cache-dir=${kubeconfig}.cache`, ...args], { env, stdio: [...stdio] });
}

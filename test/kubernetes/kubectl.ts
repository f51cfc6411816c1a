import { execFile, execFileSync } from "node:child_process";
import type { TestCluster } from "./start.ts";

export type Output = { exitCode: number; stdout: string; stderr: string };

/** Why tests with the real kubectl cannot run here; undefined where they can. */
export function whyNoKubectl(): string | undefined {
  try {
    execFileSync("kubectl", ["version", "--client"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "kubectl is not installed";
  }
}

/** Runs the real kubectl as the cluster's admin. */
export function kubectl(
  { kubeconfig }: TestCluster,
  args: readonly string[],
  input?: string,
): Promise<Output> {
  return new Promise((resolve) => {
    // A folder of the test's own for what kubectl remembers of discovery.
    const cache = `--cache-dir=${kubeconfig}.cache`;
    const options = { env: { ...process.env, KUBECONFIG: kubeconfig }, timeout: 60_000 };
    const child = execFile("kubectl", [cache, ...args], options, (error, stdout, stderr) => {
      const exitCode = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ exitCode, stdout, stderr });
    });
    child.stdin?.end(input ?? "");
  });
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import type { Output } from "../kubernetes/kubectl.ts";
import type { Shell } from "./kubernetes-docs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A person's shell in the checkout, who has `kubectl`, `moestro` and a kubeconfig. */
export class PersonsShell implements Shell {
  private readonly kubeconfig: string;
  private readonly commands = mkdtempSync(join(tmpdir(), "moestro-commands-"));

  constructor(kubeconfig: string) {
    this.kubeconfig = kubeconfig;
    symlinkSync(join(ROOT, "bin/moestro.mjs"), join(this.commands, "moestro"));
  }

  async run(command: string): Promise<Output> {
    const child = this.spawn(command);
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { exitCode: exitCode ?? -1, stdout, stderr };
  }

  start(command: string): () => Promise<string> {
    const { pid = 0, stdout } = this.spawn(command);
    const printed = text(stdout);
    return () => {
      // With what it started: a group of its own.
      process.kill(-pid, "SIGTERM");
      return printed;
    };
  }

  close(): void {
    rmSync(this.commands, { recursive: true });
  }

  private spawn(command: string) {
    // The kubectl that tests use lies beside Python, if one was installed for them.
    const folders = [this.commands, dirname(pythonExecutable()), process.env.PATH ?? ""];
    return spawn("/bin/sh", ["-c", command], {
      ...{ cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] },
      env: {
        ...process.env,
        ...{ PATH: folders.join(delimiter), KUBECONFIG: this.kubeconfig },
        KUBECACHEDIR: `${this.kubeconfig}.cache`,
      },
    });
  }
}

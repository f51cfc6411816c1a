import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";

/** A program that runs until it is ended, and no longer than this process. */
export class Program {
  private readonly child: ChildProcess;
  private readonly name: string;
  private said = "";
  private failure: Error | undefined;
  private readonly kill = (): unknown => this.child.kill("SIGKILL");

  constructor(path: string, flags: { [name: string]: string }) {
    this.name = basename(path);
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    this.child = spawn(path, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.child.stderr?.on("data", (text) => {
      this.said = `${this.said}${text}`.slice(-2000);
    });
    this.child.on("error", (error) => {
      this.failure = error;
    });
    process.once("exit", this.kill);
  }

  /** Throws if it has ended by itself. */
  check(): void {
    const { exitCode, signalCode } = this.child;
    if (this.failure) throw new Error(`KUBEBUILDER_ASSETS: ${this.failure.message}`);
    if (exitCode === null && signalCode === null) return;
    const end = exitCode ?? signalCode;
    throw new Error(`KUBEBUILDER_ASSETS: ${this.name} ended with ${end}: ${this.said.trim()}`);
  }

  async end(): Promise<void> {
    process.off("exit", this.kill);
    const { exitCode, signalCode, pid } = this.child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
  }
}

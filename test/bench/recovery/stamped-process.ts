import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export type StampedLine = { atMs: number; text: string };

/** A process whose output is kept line by line, each with the time it came. */
export class StampedProcess {
  readonly lines: StampedLine[] = [];
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string) {
    this.#child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on("line", (text) => this.lines.push({ atMs: Date.now(), text }));
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", () => resolve());
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it as a person would, and waits. */
  async end(): Promise<void> {
    if (this.isRunning) this.#child.kill("SIGINT");
    await this.ended;
  }

  /** The first line that matches, of those that came at `fromMs` or later. */
  find(pattern: RegExp, fromMs = 0): StampedLine | undefined {
    return this.lines.find(({ atMs, text }) => atMs >= fromMs && pattern.test(text));
  }

  /** What it said last, for a person who asks why it ended. */
  get lastWords(): string {
    return this.lines
      .slice(-15)
      .map(({ text }) => text)
      .join("\n");
  }
}

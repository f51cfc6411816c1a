import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { credentialsPath } from "../../worker/agent/credentials.ts";
import { tailOf } from "../../worker/agent/log-tail.ts";
import { type Identity, issue } from "../rpc/certificates.ts";
import { writeCredentials } from "../rpc/credentials-file.ts";
import { isAlive } from "../store/holder.ts";
import type { Holder } from "../store/store.ts";

const AGENT = fileURLToPath(new URL("../../worker/agent/main.ts", import.meta.url));
/** How long ranks of a dead agent have to notice before they are ended. */
const REAP_GRACE_MS = 1000;

export type LocalAgentOptions = {
  agentId: string;
  /** host:port of this process's gRPC server. */
  coordinator: string;
  authority: Identity;
  python: string;
  numSlots: number;
  logPath: string;
};

/** The agent of this machine, a child process of its own that ends with this one. */
export class LocalAgent {
  /** Settles when the process has ended, with one phrase saying how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, credentials: string, logPath: string) {
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      child.once("exit", (code, signal) => {
        const last = code ? tailOf(logPath).at(-1) : undefined;
        const said = last === undefined ? "" : `; the last line of ${logPath}: ${last}`;
        resolve(signal ? `ended by ${signal}` : `exit ${code}${said}`);
      });
    });
    void this.ended.then(() => rmSync(credentials, { recursive: true, force: true }));
  }

  static async start(options: LocalAgentOptions): Promise<LocalAgent> {
    const name = `agent:${options.agentId}`;
    const identity = await issue(options.authority, { name, hosts: [] }, new Date());
    const credentials = mkdtempSync(join(tmpdir(), "moestro-agent-"));
    const { certificate: authority } = options.authority;
    writeCredentials(credentialsPath(credentials), { authority, ...identity });
    const log = openSync(options.logPath, "a");
    const args = [
      ...[AGENT, "--coordinator", options.coordinator, "--agent-id", options.agentId],
      ...["--credentials", credentials, "--python", options.python],
      ...["--slots", String(options.numSlots), "--exit-with-parent", "--own-credentials"],
    ];
    const child = spawn(process.execPath, args, {
      // The agent's standard input ends when this process does, whatever ends it.
      stdio: ["pipe", log, log],
      // A session of its own: Ctrl-C in the terminal is for the coordinator alone.
      detached: true,
    });
    closeSync(log);
    return new LocalAgent(child, credentials, options.logPath);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for the agent to end by itself, and ends it after `graceMs`. */
  async end(graceMs: number): Promise<void> {
    const force = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    await this.ended;
    clearTimeout(force);
  }
}

/** Ends rank processes that outlived their agent. */
export async function reapRanks(ranks: Iterable<Holder>): Promise<void> {
  const deadline = Date.now() + REAP_GRACE_MS;
  for (const rank of ranks) {
    while (isAlive(rank) && Date.now() < deadline) await sleep(20);
    if (isAlive(rank)) process.kill(rank.pid, "SIGKILL");
  }
}

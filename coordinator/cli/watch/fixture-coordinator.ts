import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../../errors.ts";
import { loadAuthority } from "../../rpc/authority.ts";
import { issue } from "../../rpc/certificates.ts";
import { addFleetService } from "../../rpc/fleet-service.ts";
import { issueCoordinator } from "../../rpc/keep-certified.ts";
import { notLeading } from "../../rpc/not-leading.ts";
import { addRunService, type Runs } from "../../rpc/run-service.ts";
import { createRpcServer } from "../../rpc/server.ts";
import { AGENTS, EVENTS, runsAt } from "./fixture.ts";

type Started = { port: number; leads(): boolean; step(): number };

/** Coordinators of one authority on loopback that serve the fixture's runs to watchers. */
export async function openCluster() {
  const directory = mkdtempSync(join(tmpdir(), "moestro-watch-"));
  const authority = await loadAuthority(directory, new Date());
  const person = { name: "user:local", role: "viewer", hosts: [] } as const;
  const identity = await issue(authority, person, new Date());
  const closing = new Set<() => Promise<void>>();
  return {
    directory,
    material: { ...identity, authority: authority.certificate },
    /** A coordinator; `leads` may change while it runs. */
    async start({ port = 0, leads = () => true, step = () => 1 }: Partial<Started> = {}) {
      const rpc = createRpcServer(authority, await issueCoordinator(authority, ["127.0.0.1"]));
      addRunService(rpc.server, servedRuns(step));
      addFleetService(rpc.server, {
        list: async () => {
          if (leads()) return [...AGENTS];
          throw new MoestroError("environment", notLeading(undefined));
        },
        drain: async () => {},
      });
      const bound = await rpc.listen("127.0.0.1", port);
      rpc.setServing(true);
      const close = async () => {
        if (closing.delete(close)) await rpc.close();
      };
      closing.add(close);
      return { address: `127.0.0.1:${bound}`, port: bound, close };
    },
    async close() {
      await Promise.all([...closing].map((close) => close()));
      rmSync(directory, { recursive: true });
    },
  };
}

/** Reads alone: a watcher asks for nothing else. */
function servedRuns(step: () => number): Runs {
  let runs: readonly RunStatus[] = [];
  let at = 0;
  // A status that did not change is the same object, by which it is not sent again.
  const list = () => {
    if (at !== step()) {
      at = step();
      runs = runsAt(at);
    }
    return runs;
  };
  const find = async (runId: string) => {
    const run = list().find((one) => one.runId === runId);
    if (run) return run;
    throw new MoestroError("not_found", `there is no run ${runId}; moestro list shows all`);
  };
  const refuse = async () => {
    throw new MoestroError("run_failed", "these runs are only looked at");
  };
  return {
    ...{ status: find, list: async () => [...list()] },
    async *events(runId, _follow, signal) {
      await find(runId);
      for (const event of EVENTS) yield JSON.stringify(event);
      if (signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
    async *log() {},
    ...{ submit: refuse, stop: refuse, suspend: refuse, resume: refuse },
    ...{ scale: refuse, saveCheckpoint: refuse },
  };
}

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import {
  type AgentStatus,
  FleetService,
  ListAgentsRequestSchema,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import { RunState, SubmitRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { tinyJob, tinyTraining } from "../../test/e2e/moestro.ts";
import { until } from "../../test/faults/patience.ts";
import { agentsJob } from "../kubernetes/children/agents-job.ts";
import { CHILDREN_OPTIONS } from "../kubernetes/children/options.ts";
import { runIdOf } from "../kubernetes/run-id.ts";
import { podIdentities } from "../kubernetes/trust/pod-identities.ts";
import { type MadeJob, NAMESPACE, PodsFixture } from "../kubernetes/trust/pods-fixture.ts";
import { openLog } from "../observability/log.ts";
import { publishAuthority } from "../operator/cluster/authority-map.ts";
import { SCHEDULING_OPTIONS } from "../queue/schedule.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { callUnary } from "../rpc/call-unary.ts";
import { issue } from "../rpc/certificates.ts";
import type { TlsMaterial } from "../rpc/client.ts";
import { loadJob } from "../spec/load-job.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import { Coordinator } from "./coordinator.ts";

const MOESTRO = fileURLToPath(new URL("../../bin/moestro.mjs", import.meta.url));
const { cpu } = CHILDREN_OPTIONS.images;
const ONE_NODE = { nodes: { max: 1 }, gpusPerNode: 2 };
const folder = mkdtempSync(join(tmpdir(), "moestro-own-agents-"));
let redis: RedisFixture;
let cluster: PodsFixture;
let coordinator: Coordinator;
let material: TlsMaterial;
let jobJson: string;

before(async () => {
  redis = await RedisFixture.start();
  cluster = await PodsFixture.start({
    nodes: ["n"],
    images: { [cpu]: { prefix: [process.execPath, MOESTRO] } },
  });
  coordinator = await Coordinator.start({
    ...{ stateDirectory: folder, runsDirectory: folder, cacheDirectory: folder },
    ...{ redisUrl: redis.url, listen: { host: "127.0.0.1", port: 0 }, advertise: undefined },
    ...{ quotas: { byOwner: new Map([["ada", 0]]), total: 0 }, scheduling: SCHEDULING_OPTIONS },
    ...{ keepEnded: 10, networkInterface: "lo", http: undefined, joinPort: undefined },
    ...{ log: openLog({ level: "error" }), pods: podIdentities(cluster.config, NAMESPACE) },
  });
  const authority = await loadAuthority(folder, new Date());
  const person = await issue(authority, { name: "user:ada", hosts: [] }, new Date());
  material = { authority: coordinator.authority, ...person };
  await publishAuthority(cluster.config, NAMESPACE, coordinator.authority);
  jobJson = await endlessJob();
});
after(async () => {
  await cluster.close();
  await coordinator.close();
  await redis.remove();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** On two ranks. */
async function endlessJob(): Promise<string> {
  mkdirSync(join(folder, "texts"));
  for (let file = 0; file < 40; file += 1) {
    const text = `def f(x): return x + ${file}\n`.repeat(60);
    writeFileSync(join(folder, "texts", `${file}.py`), text);
  }
  const path = join(folder, "job.yaml");
  const training = { ...tinyTraining(1_000_000), validationEverySteps: 0, sampleBytes: 0 };
  const data = { path: join(folder, "texts"), validationFraction: 0.2 };
  const cluster = { ranks: 2, device: "cpu" };
  writeFileSync(path, tinyJob({ training, data, cluster, layout: { pipelineParallel: 2 } }));
  return JSON.stringify((await loadJob(path)).job);
}

async function submit(runId: string, hasOwnAgents: boolean): Promise<void> {
  const request = create(SubmitRunRequestSchema, { runId, jobJson });
  await coordinator.runs.submit(request, "ada", { hasOwnAgents });
}

async function agents(): Promise<AgentStatus[]> {
  const { listAgents } = grpcMethods(FleetService);
  const trust = { address: coordinator.localAddress, trust: material };
  return (await callUnary(trust, listAgents, create(ListAgentsRequestSchema))).agents;
}

/** Pods as the operator has the Job controller make them. */
async function startPods(job: MadeJob): Promise<void> {
  const options = { ...CHILDREN_OPTIONS, coordinators: [coordinator.localAddress] };
  const made = agentsJob(job, { plan: "{}", isBorn: true }, options);
  await cluster.post(`/apis/batch/v1/namespaces/${NAMESPACE}/jobs`, made);
}

const waits = (runId: string, reason: string) =>
  until(`${runId} waits: ${reason}`, async () => {
    const status = await coordinator.runs.status(runId);
    return status.state === RunState.QUEUED && status.reason === reason;
  });

test("pods join by their tokens and take ranks of their own job alone, past all quotas", async () => {
  await until("a leader", () => coordinator.isLeading);
  const [job, idle] = [await cluster.job("demo", NAMESPACE, ONE_NODE), await cluster.job("idle")];
  const [own, others] = [runIdOf(job.metadata), runIdOf(idle.metadata)];
  await submit("any", false);
  await submit(others, true);
  await submit(own, true);
  const nobody = "waits for its agents: 0 of 2 slots are there";
  const noCommon = "it needs 2 slots, and the agents that take runs have 0 in all";
  await Promise.all([waits(own, nobody), waits(others, nobody), waits("any", noCommon)]);
  await startPods(job);
  await until("the run makes steps", async () => {
    const { state, reason, step } = await coordinator.runs.status(own);
    assert.notEqual(state, RunState.FAILED, reason);
    return step > 0n;
  });
  const [agent, ...more] = await agents();
  assert.deepEqual(more, []);
  assert.match(agent?.agentId ?? "", /^demo-agents-0/);
  assert.equal(agent?.runId, own);
  assert.deepEqual(agent?.runIds, [own]);
  await coordinator.runs.stop(own, false);
  await until("its slots are free", async () => (await agents())[0]?.numUsedSlots === 0);
  // Whose turn comes behind all that wait: when it is told why it waits, they have been asked.
  await submit("last", false);
  await waits("last", noCommon);
  await Promise.all([waits(others, nobody), waits("any", noCommon)]);
  assert.equal((await agents())[0]?.numUsedSlots, 0);
});

import type { PartitionProblem } from "./problem.ts";
import { inFlightOf } from "./stage-costs.ts";

/**
 * The partition problem as a mixed integer linear programme in CPLEX LP format:
 * binaries for the option of each layer on each stage, start times of all passes
 * in 1F1B order, the makespan `T` to be least. For small instances, to check the
 * solver against an independent one.
 */
export function partitionMilp(problem: PartitionProblem): string {
  const binaries: string[] = [];
  const rows = [...splitRows(problem, binaries), ...stageRows(problem), ...scheduleRows(problem)];
  return [
    "Minimize",
    " obj: T",
    "Subject To",
    ...rows.map((row, index) => ` c${index}: ${row}`),
    "Binary",
    ...binaries.map((name) => ` ${name}`),
    "End",
    "",
  ].join("\n");
}

const pick = (layer: number, stage: number, option: number) => `q_${layer}_${stage}_${option}`;

/** Each layer takes one option on one stage; stages are intervals, none empty. */
function splitRows({ layers, stages }: PartitionProblem, binaries: string[]): string[] {
  const rows: string[] = [];
  const last = layers.length - 1;
  for (const [index, { options }] of layers.entries()) {
    const own = Array.from({ length: stages }, (_, stage) =>
      options.map((_, option) => ({ stage, name: pick(index, stage, option) })),
    ).flat();
    binaries.push(...own.map(({ name }) => name));
    rows.push(`${own.map(({ name }) => name).join(" + ")} = 1`);
    const number = own
      .filter(({ stage }) => stage > 0)
      .map(({ stage, name }) => ` + ${stage} ${name}`)
      .join("");
    rows.push(`s_${index}${number.replaceAll("+", "-")} = 0`);
    if (index === 0) rows.push("s_0 = 0");
    if (index === last) rows.push(`s_${index} = ${stages - 1}`);
    if (index > 0) {
      rows.push(`s_${index} - s_${index - 1} >= 0`, `s_${index} - s_${index - 1} <= 1`);
    }
  }
  return rows;
}

/** Forward, backward and memory of each stage. */
function stageRows({ layers, stages, microBatches, memoryBytes }: PartitionProblem): string[] {
  const rows: string[] = [];
  for (let stage = 0; stage < stages; stage++) {
    const inFlight = inFlightOf(stage, stages, microBatches);
    const memory = typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[stage] ?? 0);
    // Rows in shares of the memory: solvers dislike large coefficients.
    const unit = Math.max(memory, 1);
    let forward = `f_${stage}`;
    let backward = `b_${stage}`;
    let bytes = `w_${stage}`;
    for (const [index, layer] of layers.entries()) {
      for (const [option, each] of layer.options.entries()) {
        const name = pick(index, stage, option);
        const held = layer.staticBytes + inFlight * each.activationBytes;
        forward += ` - ${layer.forwardMs} ${name}`;
        backward += ` - ${layer.backwardMs + each.extraBackwardMs} ${name}`;
        bytes += ` + ${held / unit} ${name}`;
        const workspace = each.workspaceBytes ?? 0;
        if (workspace > 0) rows.push(`w_${stage} - ${workspace / unit} ${name} >= 0`);
      }
    }
    rows.push(`${forward} = 0`, `${backward} = 0`, `${bytes} <= ${memory / unit}`);
  }
  return rows;
}

/** Passes of a stage follow each other; inputs come from the neighbours. */
function scheduleRows({ stages, microBatches, p2pMs }: PartitionProblem): string[] {
  const rows: string[] = [];
  for (let stage = 0; stage < stages; stage++) {
    let before: string | undefined;
    for (const { kind, microBatch } of orderOf(stage, stages, microBatches)) {
      const end = `${kind}_${stage}_${microBatch}`;
      const own = `${kind === "F" ? "f" : "b"}_${stage}`;
      if (before !== undefined) rows.push(`${end} - ${own} - ${before} >= 0`);
      before = end;
      const neighbour = kind === "F" ? stage - 1 : stage + 1;
      if (neighbour < 0) rows.push(`${end} - ${own} >= 0`);
      else if (neighbour < stages) {
        rows.push(`${end} - ${own} - ${kind}_${neighbour}_${microBatch} >= ${p2pMs}`);
      }
    }
    rows.push(`T - ${before} >= 0`);
  }
  return rows;
}

/** The passes of a stage in 1F1B order. */
function orderOf(stage: number, stages: number, microBatches: number) {
  const warmup = Math.min(microBatches, stages - 1 - stage);
  const order: { kind: "F" | "B"; microBatch: number }[] = [];
  for (let index = 0; index < microBatches + warmup; index++) {
    if (index < microBatches) order.push({ kind: "F", microBatch: index });
    if (index >= warmup) order.push({ kind: "B", microBatch: index - warmup });
  }
  return order;
}

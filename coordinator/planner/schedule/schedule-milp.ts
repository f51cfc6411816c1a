import { memoryOfRank, type ScheduleProblem, weightGradMsOf } from "./schedule-problem.ts";
import { inFlightVectors, type Pass, type ScheduleTable, stageOf } from "./table.ts";

/** Name of the variable that layer, stage and option are chosen together. */
export const choiceName = (layer: number, stage: number, option: number) =>
  `z_${layer}_${stage}_${option}`;

/**
 * Stages and recompute for a fixed order of passes as a mixed integer linear
 * programme in CPLEX LP format (PLANNER: with the order fixed, the makespan `T` is
 * linear in the durations). Memory has a row for every in-flight peak of a rank.
 *
 * @param leastMs a known lower bound on the step, and `mostMs` a step that exists
 */
export function scheduleMilp(
  problem: ScheduleProblem,
  table: ScheduleTable,
  { leastMs, mostMs }: { leastMs?: number | undefined; mostMs?: number | undefined } = {},
): string {
  const names: string[] = [];
  const rows = [
    ...choiceRows(problem, table, names),
    ...durationRows(problem, table),
    ...memoryRows(problem, table),
    ...timeRows(problem, table),
  ];
  const kinds = ["Binary", ...names.map((name) => ` ${name}`)];
  if (leastMs !== undefined) rows.push(`T >= ${leastMs}`);
  if (mostMs !== undefined) rows.push(`T <= ${mostMs}`);
  const body = rows.map((row, index) => ` c${index}: ${row}`);
  return ["Minimize", " obj: T", "Subject To", ...body, ...kinds, "End", ""].join("\n");
}

/** Stages that a layer may be on: those that leave a layer to every other, or the one it is fixed to. */
function stagesOfLayer(
  { layers, starts }: ScheduleProblem,
  { rankOfStage }: ScheduleTable,
  layer: number,
) {
  if (starts !== undefined) return [starts.findLastIndex((start) => start <= layer)];
  const numStages = rankOfStage.length;
  const first = Math.max(0, numStages - (layers.length - layer));
  const last = Math.min(layer, numStages - 1);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function choiceRows(problem: ScheduleProblem, table: ScheduleTable, names: string[]): string[] {
  const rows: string[] = [];
  for (const [layer, { options }] of problem.layers.entries()) {
    const own = stagesOfLayer(problem, table, layer).flatMap((stage) =>
      options.map((_, option) => ({ stage, name: choiceName(layer, stage, option) })),
    );
    names.push(...own.map(({ name }) => name));
    rows.push(`${own.map(({ name }) => name).join(" + ")} = 1`);
    const number = own
      .filter(({ stage }) => stage > 0)
      .map(({ stage, name }) => ` - ${stage} ${name}`);
    rows.push(`s_${layer}${number.join("")} = 0`);
    if (layer > 0) {
      rows.push(`s_${layer} - s_${layer - 1} >= 0`, `s_${layer} - s_${layer - 1} <= 1`);
    }
  }
  return rows;
}

/** Calls back for every choice that puts something on a stage. */
function choicesOfStage(problem: ScheduleProblem, table: ScheduleTable, stage: number) {
  return problem.layers.flatMap((layer, index) =>
    stagesOfLayer(problem, table, index).includes(stage)
      ? layer.options.map((option, at) => ({ layer, option, name: choiceName(index, stage, at) }))
      : [],
  );
}

function durationRows(problem: ScheduleProblem, table: ScheduleTable): string[] {
  return table.rankOfStage.flatMap((_, stage) => {
    let [forward, inputGrad, weightGrad] = [`f_${stage}`, `i_${stage}`, `w_${stage}`];
    let [sent, sentBack] = [`x_${stage}`, `y_${stage}`];
    for (const { layer, option, name } of choicesOfStage(problem, table, stage)) {
      const weightGradMs = weightGradMsOf(layer);
      forward += ` - ${layer.forwardMs} ${name}`;
      inputGrad += ` - ${layer.backwardMs - weightGradMs + option.extraBackwardMs} ${name}`;
      weightGrad += ` - ${weightGradMs} ${name}`;
      sent += ` - ${layer.forwardCommunicationMs ?? 0} ${name}`;
      sentBack += ` - ${layer.backwardCommunicationMs ?? 0} ${name}`;
    }
    const rows = [forward, inputGrad, weightGrad];
    if (hasPairs(table)) rows.push(sent, sentBack);
    return rows.map((row) => `${row} = 0`);
  });
}

function memoryRows(problem: ScheduleProblem, table: ScheduleTable): string[] {
  const rows: string[] = [];
  for (let rank = 0; rank < table.numRanks; rank++) {
    const limit = memoryOfRank(problem, rank);
    // In shares of the memory: solvers dislike large coefficients.
    const unit = Math.max(limit, 1);
    const chunks = Array.from({ length: table.chunksPerRank }, (_, chunk) =>
      choicesOfStage(problem, table, stageOf(table, rank, chunk)),
    );
    for (const { option, name } of chunks.flat()) {
      const workspace = option.workspaceBytes ?? 0;
      if (workspace > 0) rows.push(`m_${rank} - ${workspace / unit} ${name} >= 0`);
    }
    for (const counts of inFlightVectors(table, rank)) {
      let row = `m_${rank}`;
      for (const [chunk, own] of chunks.entries()) {
        for (const { layer, option, name } of own) {
          const bytes = layer.staticBytes + (counts[chunk] ?? 0) * option.activationBytes;
          if (bytes > 0) row += ` + ${bytes / unit} ${name}`;
        }
      }
      rows.push(`${row} <= ${limit / unit}`);
    }
  }
  return rows;
}

function hasPairs({ passes }: ScheduleTable): boolean {
  return passes.some((own) => own.some(({ overlapsNext }) => overlapsNext));
}

/** Ends of passes: after the rank's pass before, after the input, at the last before T. */
function timeRows({ p2pMs }: ScheduleProblem, table: ScheduleTable): string[] {
  const rows: string[] = [];
  const { rankOfStage } = table;
  const last = rankOfStage.length - 1;
  const hopMs = (a: number, b: number) => (rankOfStage[a] === rankOfStage[b] ? 0 : p2pMs);
  for (const [rank, passes] of table.passes.entries()) {
    let before: string | undefined;
    let pair: Pass | undefined;
    for (const pass of passes) {
      // A pair ends together.
      const partner = pair;
      pair = undefined;
      if (pass.overlapsNext) {
        pair = pass;
        continue;
      }
      const own = partner ? [partner, pass] : [pass];
      const stages = own.map(({ chunk }) => stageOf(table, rank, chunk));
      const durations = durationsOf(own, stages);
      const ends = own.map((each, index) => endName(each, stages[index] as number));
      const [end = ""] = ends;
      if (ends[1] !== undefined) rows.push(`${end} - ${ends[1]} = 0`);
      const after = (inputs: string, ms = 0) => {
        for (const duration of durations) rows.push(`${end}${duration}${inputs} >= ${ms}`);
      };
      after(before === undefined ? "" : ` - ${before}`);
      for (const [index, { kind, microBatch }] of own.entries()) {
        const stage = stages[index] as number;
        if (kind === "W") after(` - g_${stage}_${microBatch}`);
        else if (kind === "F") {
          if (stage > 0) after(` - e_${stage - 1}_${microBatch}`, hopMs(stage - 1, stage));
        } else {
          after(` - e_${stage}_${microBatch}`);
          if (stage < last) after(` - g_${stage + 1}_${microBatch}`, hopMs(stage, stage + 1));
        }
      }
      before = end;
    }
    rows.push(`T - ${before} >= 0`);
  }
  return rows;
}

function endName({ kind, microBatch }: Pass, stage: number): string {
  const letter = kind === "F" ? "e" : kind === "W" ? "h" : "g";
  return `${letter}_${stage}_${microBatch}`;
}

/**
 * Lower limits on the time of a pass, or of a pair, whose compute goes one after
 * the other while the communication of each hides behind the other's.
 */
function durationsOf(own: readonly Pass[], stages: readonly number[]): string[] {
  const alone = own.map(({ kind }, index) => {
    const parts = kind === "F" ? ["f"] : kind === "B" ? ["i", "w"] : [kind.toLowerCase()];
    return parts.map((part) => ` - ${part}_${stages[index]}`).join("");
  });
  if (own.length === 1) return alone;
  const [forward, backward] = stages;
  const compute = `${alone.join("")} + x_${forward} + y_${backward}`;
  return [...alone, compute, ` - x_${forward} - y_${backward}`];
}

import type { MachineFactors, StackFactors, TimeFactors } from "../cost/time/factors.ts";
import type { Stack } from "../cost/workload.ts";

/** One constant that is fitted: where it lies, and what is known of it beforehand. */
export interface FactorName {
  stack?: Stack | undefined;
  name: string;
  /** The largest value that makes sense. */
  most: number;
  /** How far it may stray from its start: the deviation of its logarithm. */
  spread: number;
}

/** Of a constant that is counted or guessed, and of one that a link's own measurements show. */
const GUESSED = 0.5;
const MEASURED = 0.05;

const MACHINE: readonly (readonly [keyof MachineFactors, number, number?])[] = [
  ["gemmShare", 1.2],
  ["gemmShareFp8", 1.3],
  ["gemmTraffic", 4],
  ["groupedGemm", 2],
  ["attentionShare", 0.75],
  ["memoryShare", 0.95],
  ["intraShare", 1, MEASURED],
  ["interShare", 1, MEASURED],
  ["allToAll", 3],
  ["permutePasses", 30],
  ["routerMs", 3],
  ["straggle", 0.08],
];

type FittedStackFactor = Exclude<
  { [K in keyof StackFactors]: StackFactors[K] extends number ? K : never }[keyof StackFactors],
  "gradientBytes"
>;

const STACK: readonly (readonly [FittedStackFactor, number])[] = [
  ["layerHostMs", 20],
  ["tensorParallelHostMs", 20],
  ["backwardHost", 4],
  ["layerPasses", 60],
  ["activationPasses", 20],
  ["scorePasses", 40],
  ["lossBytes", 200],
  ["exposedTensorParallel", 1.5],
  ["nodeHopMs", 1],
  ["exposedReduction", 3],
  ["stepCollectives", 100],
  ["layerReductions", 10],
  ["exposedGather", 3],
  ["exposedAllToAll", 1],
  ["optimizerBytes", 400],
  ["stepMs", 2000],
  ["hopMs", 50],
  ["exposedHop", 3],
];

/** Our own engine's constants follow Megatron's until it is probed. */
const STACKS: readonly Stack[] = ["megatron", "nanotron", "vtrain"];

/** Every constant that the published runs can say something about. */
export function fittedFactors(start: TimeFactors): FactorName[] {
  return [
    ...MACHINE.map(([name, most, spread = GUESSED]): FactorName => ({ name, most, spread })),
    ...STACKS.flatMap((stack) =>
      STACK.map(([name, most]): FactorName => ({ stack, name, most, spread: GUESSED })),
    ),
  ].filter((factor) => factorValue(start, factor) > 0);
}

export function factorValue(factors: TimeFactors, { stack, name }: FactorName): number {
  return holder(factors, stack)[name] as number;
}

/** The factors with some of them changed, by the order of their names. */
export function withValues(
  start: TimeFactors,
  names: readonly FactorName[],
  logarithms: Float64Array,
): TimeFactors {
  const changed = structuredClone(start);
  for (const [index, factor] of names.entries()) {
    holder(changed, factor.stack)[factor.name] = Math.exp(logarithms[index] as number);
  }
  const { oneCopyPerNode, exposedAllToAll } = start.stacks.moestro;
  changed.stacks.moestro = { ...changed.stacks.megatron, oneCopyPerNode, exposedAllToAll };
  return changed;
}

function holder(factors: TimeFactors, stack: Stack | undefined): Record<string, unknown> {
  const found = stack === undefined ? factors.machine : factors.stacks[stack];
  return found as unknown as Record<string, unknown>;
}

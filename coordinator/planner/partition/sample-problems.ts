import type { PartitionLayer, PartitionProblem } from "./problem.ts";

/** One class of layers, in milliseconds and GB of one rank. */
interface LayerKind {
  name: string;
  count: number;
  forwardMs: number;
  staticGB: number;
  activationGB: number;
}

/**
 * Shapes like those of published models on 80 GB devices, with memory so tight
 * that stages must recompute. The figures are round, not measurements: they
 * make instances of real size for tests and benchmarks.
 */
export function sampleProblems(): { name: string; problem: PartitionProblem }[] {
  const kind = (
    name: string,
    count: number,
    forwardMs: number,
    staticGB: number,
    activationGB: number,
  ): LayerKind => ({ name, count, forwardMs, staticGB, activationGB });
  return [
    {
      name: "126 layers, 16 stages (as Llama 3 405B)",
      problem: sample(16, 64, 72, [
        kind("embedding", 1, 0.2, 4.2, 0.05),
        kind("layer", 126, 9.4, 3.2, 0.83),
        kind("head", 1, 6.1, 4.2, 0.5),
      ]),
    },
    {
      name: "61 layers, 16 stages, 3 dense (as DeepSeek-V3)",
      problem: sample(16, 60, 72, [
        kind("embedding", 1, 0.1, 7.4, 0.06),
        kind("dense", 3, 5.7, 2.3, 0.7),
        kind("moe", 58, 8.2, 7.1, 1.32),
        kind("mtp", 1, 12.9, 8.2, 1.9),
        kind("head", 1, 7.3, 7.4, 0.8),
      ]),
    },
    {
      name: "94 layers, 8 stages (as Qwen3-235B)",
      problem: sample(8, 48, 72, [
        kind("embedding", 1, 0.1, 2.5, 0.03),
        kind("layer", 94, 4.3, 3.1, 0.9),
        kind("head", 1, 5.2, 2.5, 0.9),
      ]),
    },
    {
      name: "52 layers, 12 stages, memory to spare (as Skywork-MoE)",
      problem: sample(12, 96, 640, [
        kind("embedding", 1, 0.1, 1.2, 0.02),
        kind("layer", 52, 6.3, 3.9, 0.6),
        kind("head", 1, 3.7, 1.2, 0.3),
      ]),
    },
    { name: "126 layers that all differ, 16 stages", problem: distinct() },
  ];
}

function sample(
  stages: number,
  microBatches: number,
  memoryGB: number,
  kinds: readonly LayerKind[],
): PartitionProblem {
  const layers = kinds.flatMap((kind) =>
    Array.from({ length: kind.count }, (_, index) => layerOf(kind, `${kind.name}-${index}`)),
  );
  return { stages, microBatches, p2pMs: 0.15, memoryBytes: memoryGB * 1e9, layers };
}

/** As measured costs are: no two layers alike. */
function distinct(): PartitionProblem {
  let seed = 12345;
  const noise = () => {
    seed = (seed * 16807) % 2147483647;
    return 0.9 + (0.2 * seed) / 2147483647;
  };
  const layers = Array.from({ length: 126 }, (_, index) =>
    layerOf(
      {
        name: "",
        count: 1,
        forwardMs: 9.4 * noise(),
        staticGB: 3.2 * noise(),
        activationGB: 0.83 * noise(),
      },
      `layer-${index}`,
    ),
  );
  return { stages: 16, microBatches: 64, p2pMs: 0.15, memoryBytes: 72e9, layers };
}

function layerOf({ forwardMs, staticGB, activationGB }: LayerKind, name: string): PartitionLayer {
  return {
    name,
    forwardMs,
    backwardMs: 2 * forwardMs,
    staticBytes: staticGB * 1e9,
    options: [
      { name: "none", extraBackwardMs: 0, activationBytes: activationGB * 1e9 },
      {
        name: "selective",
        extraBackwardMs: 0.12 * forwardMs,
        activationBytes: 0.7 * activationGB * 1e9,
      },
      {
        name: "full",
        extraBackwardMs: forwardMs,
        activationBytes: 0.06 * activationGB * 1e9,
        workspaceBytes: activationGB * 1e9,
      },
    ],
  };
}

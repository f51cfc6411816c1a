import type { Stack } from "../workload.ts";

/**
 * The constants of the time model that hold for every machine and software.
 * `moestro calibrate` fits them; docs/calibration.md says how and how well.
 */
export interface MachineFactors {
  /** Multiplies an accelerator's achievable share in large bf16 matrix products. */
  gemmShare: number;
  /** The same in fp8, on top of what quantisation costs. */
  gemmShareFp8: number;
  /** Memory traffic of a matrix product that its arithmetic does not hide. */
  gemmTraffic: number;
  /** Arithmetic of one product of many small ones over that of a single large one. */
  groupedGemm: number;
  /** Share of the bf16 peak that flash attention reaches. */
  attentionShare: number;
  /** Share of the memory's bandwidth that elementwise kernels reach. */
  memoryShare: number;
  /** Share of a link's curve that collectives inside a step reach, in and between nodes. */
  intraShare: number;
  interShare: number;
  /** An all-to-all's bytes over those of a ring collective: uneven, many peers. */
  allToAll: number;
  /** Reads and writes of routing and permutation, in hidden states a routed copy. */
  permutePasses: number;
  /** Host time of the expert layer's routing and bookkeeping, forward. */
  routerMs: number;
  /** Lost to stragglers as the ranks grow: share of the step at 1,024 GPUs. */
  straggle: number;
}

/** What a training software does differently; physical, one set a software. */
export interface StackFactors {
  /** Host time to launch a decoder layer's forward: its floor. */
  layerHostMs: number;
  /** What tensor-parallel collectives add to it. */
  tensorParallelHostMs: number;
  /** Of a layer's backward over its forward. */
  backwardHost: number;
  /** Reads and writes of hidden states around a layer's matrices, forward. */
  layerPasses: number;
  /** Passes over an activation function's width. */
  activationPasses: number;
  /** Passes over the scores when attention is not fused; 0 with flash attention. */
  scorePasses: number;
  /** Bytes a logit costs in the loss, forward and backward. */
  lossBytes: number;
  /** Share of tensor-parallel communication in backward that is not hidden. */
  exposedTensorParallel: number;
  /** Milliseconds a ring collective waits at every node boundary: library and network of its runs. */
  nodeHopMs: number;
  /** Share of the gradient reduction that is not hidden. */
  exposedReduction: number;
  /** Collectives over the data-parallel ranks that a step ends with: sums, norms, gathers. */
  stepCollectives: number;
  /** All-reduces of a layer's gradients where the optimizer is not sharded: about one a large matrix. */
  layerReductions: number;
  /** Bytes of a gradient on the wire. */
  gradientBytes: number;
  /** Share of the parameter gather that is not hidden. */
  exposedGather: number;
  /** Share of an expert all-to-all between nodes that is not hidden behind another micro-batch. */
  exposedAllToAll: number;
  /** Bytes moved a parameter that a rank's optimizer owns. */
  optimizerBytes: number;
  /** Every step: data, logging, clipping's reductions. */
  stepMs: number;
  /** Host and handshake of one pipeline hop. */
  hopMs: number;
  /** Share of a hop that does not overlap with computation. */
  exposedHop: number;
  /** A token goes to a node once, however many of its experts are there (DeepEP). */
  oneCopyPerNode: boolean;
  /** Sequence parallelism: norms on a share of the tokens, gather and scatter for reduce. */
  sequenceParallel: boolean;
}

export interface TimeFactors {
  machine: MachineFactors;
  stacks: Record<Stack, StackFactors>;
}

const MEGATRON: StackFactors = {
  layerHostMs: 0.5,
  tensorParallelHostMs: 0.1,
  backwardHost: 1.2,
  layerPasses: 10,
  activationPasses: 3,
  scorePasses: 0,
  lossBytes: 20,
  exposedTensorParallel: 0.7,
  nodeHopMs: 0.02,
  exposedReduction: 0.3,
  stepCollectives: 5,
  layerReductions: 3,
  gradientBytes: 4,
  exposedGather: 0.3,
  exposedAllToAll: 0.35,
  optimizerBytes: 34,
  stepMs: 60,
  hopMs: 0.05,
  exposedHop: 1,
  oneCopyPerNode: true,
  sequenceParallel: true,
};

/** Where fitting starts and whither it is pulled: from data sheets, and counts of what kernels read and write. */
export const STARTING_FACTORS: TimeFactors = {
  machine: {
    gemmShare: 1.05,
    gemmShareFp8: 0.9,
    gemmTraffic: 0.9,
    groupedGemm: 1,
    attentionShare: 0.4,
    memoryShare: 0.85,
    intraShare: 0.8,
    interShare: 0.8,
    allToAll: 1,
    permutePasses: 6,
    routerMs: 0.2,
    straggle: 0.03,
  },
  stacks: {
    megatron: MEGATRON,
    moestro: { ...MEGATRON, oneCopyPerNode: false, exposedAllToAll: 1 },
    nanotron: {
      ...MEGATRON,
      layerHostMs: 1,
      tensorParallelHostMs: 1,
      layerPasses: 22,
      activationPasses: 5,
      lossBytes: 40,
      exposedTensorParallel: 1,
      nodeHopMs: 0.3,
      exposedReduction: 1,
      exposedGather: 1,
      hopMs: 2,
      backwardHost: 2.5,
      stepMs: 100,
    },
    vtrain: {
      ...MEGATRON,
      layerHostMs: 1.2,
      layerPasses: 20,
      activationPasses: 6,
      scorePasses: 12,
      exposedReduction: 1,
      gradientBytes: 2,
      sequenceParallel: false,
    },
  },
};

/** What predictions use: fitted. */
export { TIME_FACTORS } from "./fitted-factors.ts";

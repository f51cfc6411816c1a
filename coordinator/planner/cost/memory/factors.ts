import type { Precision } from "../../hardware/cluster.ts";
import type { Stack } from "../workload.ts";

/** What a training software keeps, in bytes a number; sources in docs/memory-model.md. */
export interface MemoryFactors {
  /** A weight, with the copies that kernels of the precision read. */
  weightBytes: Record<Precision, number>;
  /** The buffers that hold gradients between micro-batches. */
  gradBytes: Record<Precision, number>;
  /** Master weight and both moments of Adam. */
  optimizerBytes: Record<Precision, number>;
  /** All of a parameter under FSDP, spread over its copies; without it the sum of the three above. */
  fullyShardedBytes?: Record<Precision, number>;
  /** A second buffer that gradients are reduced in, with more than one copy. */
  reduceBytes: number;
  /** On top under ZeRO-1 with more than one copy: on every rank, and spread over the copies. */
  zero1HeldBytes: number;
  zero1ShardBytes: number;
  /** Norms and residuals hold a share of the sequence on each tensor-parallel rank. */
  sequenceParallel: boolean;
  /** The norm before attention, a dense FFN or shared experts is kept as it was gathered over TP, unless cheap parts are dropped. */
  keepsGathered: boolean;
  /** No scores of sequence × sequence are kept. */
  flashAttention: boolean;
  /** SwiGLU in one kernel keeps both halves; otherwise its SiLU is kept too. */
  fusedActivation: boolean;
  /** Queries and keys before RoPE, kept beside those behind it. */
  keepsUnrotated: boolean;
  /** Expert outputs are weighted behind the experts, which keeps them. */
  keepsExpertOutput: boolean;
  /**
   * Gradients are summed by the matrix product itself, and autograd is given an
   * unused tensor of the weight's size: one of every shape stays allocated
   * (Transformer Engine from 2.8), and one of the head's while it runs (Megatron).
   */
  unusedGradients: boolean;
  /** Embedding and head are whole on every tensor-parallel rank. */
  wholeTables: boolean;
  /** Buffers for the whole sequence's activations gathered over TP that stay allocated. */
  gatherBuffers: number;
  /** Of one logit, kept from loss to backward. */
  lossKeptBytes: number;
  /** Of one logit, on top while the loss runs. */
  lossPeakBytes: number;
}

const MEGATRON: MemoryFactors = {
  weightBytes: { fp32: 4, bf16: 2, fp8: 4 },
  gradBytes: { fp32: 4, bf16: 4, fp8: 4 },
  optimizerBytes: { fp32: 8, bf16: 12, fp8: 12 },
  reduceBytes: 0,
  zero1HeldBytes: 0,
  zero1ShardBytes: 0,
  sequenceParallel: true,
  keepsGathered: false,
  flashAttention: true,
  fusedActivation: true,
  keepsUnrotated: false,
  keepsExpertOutput: false,
  unusedGradients: true,
  wholeTables: false,
  gatherBuffers: 1,
  lossKeptBytes: 2,
  lossPeakBytes: 2,
};

/** Each difference is a habit of the software; docs/memory-model.md says which rows showed it. */
export const MEMORY_FACTORS: Record<Stack, MemoryFactors> = {
  megatron: MEGATRON,
  moestro: {
    ...MEGATRON,
    // In fp32 the weights are their own masters. In bf16 a backward pass leaves bf16 gradients, which are
    // then added to the fp32 sums; FSDP's shards are the masters.
    gradBytes: { fp32: 4, bf16: 6, fp8: 6 },
    fullyShardedBytes: { fp32: 16, bf16: 16, fp8: 16 },
    weightBytes: { fp32: 4, bf16: 2, fp8: 2 },
    keepsGathered: true,
    keepsExpertOutput: true,
    unusedGradients: false,
    wholeTables: true,
    // Logits of the products' type and fp32 log-probabilities, whose gradient takes their place.
    lossKeptBytes: 6,
    lossPeakBytes: 4,
  },
  // DDP's bf16 gradients beside the fp32 sums; ZeRO-1 as its memory_allocated shows it.
  nanotron: {
    ...MEGATRON,
    reduceBytes: 2,
    zero1HeldBytes: 2,
    zero1ShardBytes: 2,
    fusedActivation: false,
    keepsUnrotated: true,
    unusedGradients: false,
    gatherBuffers: 2,
    lossKeptBytes: 4,
    lossPeakBytes: 10,
  },
  vtrain: {
    ...MEGATRON,
    sequenceParallel: false,
    flashAttention: false,
    fusedActivation: false,
    keepsUnrotated: true,
    unusedGradients: false,
    lossKeptBytes: 4,
    lossPeakBytes: 6,
  },
};

/** Bytes of an activation, and of one that a matrix product reads. */
export const ACTIVATION_BYTES: Record<Precision, number> = { fp32: 4, bf16: 2, fp8: 2 };
export const MATRIX_INPUT_BYTES: Record<Precision, number> = { fp32: 4, bf16: 2, fp8: 1 };

/** cuBLAS takes 32 MiB from the allocator for each of two handles on Hopper and later. */
export const MATRIX_WORKSPACE_BYTES = 2 * 32 * 2 ** 20;
/** CUDA context and library handles of one process. */
export const CONTEXT_BYTES = 0.7e9;
/** NCCL's channels and buffers, by communicator that a rank belongs to. */
export const COMMUNICATOR_BYTES = 0.2e9;
/** Share of the allocated bytes that the caching allocator holds beyond them. */
export const FRAGMENTATION = 0.03;
/** Most that context and communicators together take of a device's memory. */
export const MOST_OVERHEAD_SHARE = 0.05;

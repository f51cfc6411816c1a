import { z } from "zod";
import { CLUSTER_PRESET_NAMES } from "../../planner/hardware/presets.ts";
import { atLeast, positive, share, whole } from "./numbers.ts";

const MAX_RANKS = 1_000_000;

const dataSource = z
  .strictObject({
    path: z.string().min(1).describe("As data.path."),
    weight: positive()
      .default(1)
      .describe("Share of the samples, relative to the other sources' weights."),
  })
  .describe("One source of the mixture.");

/** The text to train on. */
export const dataSection = z
  .strictObject({
    source: z
      .enum(["python-standard-library"])
      .optional()
      .describe("Text that is on every machine: the Python standard library's source."),
    path: z
      .string()
      .min(1)
      .optional()
      .describe(
        "A text file or a folder of text files, or the token files of moestro data prepare or Megatron (corpus.bin), relative to the job file.",
      ),
    sources: z
      .array(dataSource)
      .min(1)
      .max(1000)
      .optional()
      .describe("Several paths, mixed by weight."),
    validationFraction: share("below one")
      .default(0.05)
      .describe("Share of the files, or of a single file's end, kept apart for validation."),
  })
  .meta({ oneOf: [{ required: ["source"] }, { required: ["path"] }, { required: ["sources"] }] })
  .describe("The text to train on: source, path or sources.");

/** The ranks a run gets: of this machine, or of a cluster that is planned for. */
export const clusterSection = z
  .strictObject({
    ranks: whole(1, MAX_RANKS)
      .optional()
      .describe(
        "PyTorch processes, one per GPU, or on a machine without any as many as wanted. Default: nodes * gpusPerNode, or 1.",
      ),
    gpu: z
      .enum(CLUSTER_PRESET_NAMES)
      .optional()
      .describe("Plan for a cluster of these GPUs, with the links they usually have."),
    nodes: whole(1, MAX_RANKS).optional().describe("Nodes of the cluster."),
    gpusPerNode: whole(1, 1024)
      .optional()
      .describe("GPUs of a node. Default: 8 where gpu is given."),
    file: z
      .string()
      .min(1)
      .optional()
      .describe("Plan for the cluster that this file describes, relative to the job file."),
    profile: z
      .string()
      .min(1)
      .optional()
      .describe("Plan for the machine that moestro probe measured in this file."),
    memoryReserve: atLeast(0)
      .optional()
      .describe("GB of each GPU's memory that plans leave free. Default: 4 % of it."),
    memoryLimit: positive()
      .optional()
      .describe(
        "GB that a rank of this machine may hold at its peak, the process itself included; the planner chooses stages and recompute that fit. Default: memory is not counted.",
      ),
    device: z
      .enum(["auto", "cpu", "cuda"])
      .default("auto")
      .describe("What ranks compute on; auto takes GPUs when there are enough."),
  })
  .describe("The ranks a run gets, on this machine by default, or a cluster to plan for.");

/** When checkpoints are written and how many stay. */
export const checkpointSection = z
  .strictObject({
    everySteps: whole(0, 1_000_000_000)
      .default(0)
      .describe("Steps between checkpoints; 0 writes one at the end only."),
    keep: whole(1, 1000).default(2).describe("Checkpoints kept, newest first."),
  })
  .describe("When checkpoints are written and how many stay.");

import { z } from "zod";
import { share, whole } from "./numbers.ts";

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
      .describe("A text file or a folder of text files, relative to the job file."),
    validationFraction: share("below one")
      .default(0.05)
      .describe("Share of the files kept apart for validation."),
  })
  .meta({ oneOf: [{ required: ["source"] }, { required: ["path"] }] })
  .describe("The text to train on: source or path.");

/** The ranks a run gets. */
export const clusterSection = z
  .strictObject({
    ranks: whole(1, 1_000_000)
      .default(1)
      .describe("PyTorch processes, one per GPU, or on a machine without any as many as wanted."),
    device: z
      .enum(["auto", "cpu", "cuda"])
      .default("auto")
      .describe("What ranks compute on; auto takes GPUs when there are enough."),
  })
  .describe("The ranks a run gets; on this machine by default.");

/** When checkpoints are written and how many stay. */
export const checkpointSection = z
  .strictObject({
    everySteps: whole(0, 1_000_000_000)
      .default(0)
      .describe("Steps between checkpoints; 0 writes one at the end only."),
    keep: whole(1, 1000).default(2).describe("Checkpoints kept, newest first."),
  })
  .describe("When checkpoints are written and how many stay.");

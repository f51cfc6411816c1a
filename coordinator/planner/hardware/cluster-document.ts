import { z } from "zod";
import type { Cluster, Link, Precision } from "./cluster.ts";
import { measuredSchema } from "./measured.ts";

/** GPUs of the largest cluster that is planned for; more than anything built. */
export const MAX_GPUS = 1_000_000;

const positive = () => z.number().gt(0).lt(1e12);
const count = () => z.int().min(1).max(MAX_GPUS);

const rates = (value: z.ZodNumber) =>
  z
    .strictObject({ fp32: value.optional(), bf16: value.optional(), fp8: value.optional() })
    .refine((table) => Object.keys(table).length > 0);

const link = z.strictObject({
  latencyMicroseconds: z.number().min(0).max(1e9).describe("Of the smallest message."),
  curve: z
    .array(z.tuple([positive(), positive()]))
    .min(1)
    .describe("[kilobytes of a message, gigabytes a second per GPU in one direction], ascending."),
  allReduceGain: positive()
    .optional()
    .describe("All-reduce's rate over the curve's, where switches add up."),
});

/** A cluster as a person writes it, in the units of data sheets. */
export const clusterDocumentSchema = z.strictObject({
  name: z.string().min(1).max(100),
  nodes: count(),
  gpusPerNode: count(),
  gpusPerDomain: count().optional().describe("GPUs that `intra` joins; default gpusPerNode."),
  accelerator: z.strictObject({
    name: z.string().min(1).max(100),
    memoryGB: positive(),
    memoryBandwidthGBps: positive(),
    peakTflops: rates(positive()).describe("Dense, by precision."),
    achievable: rates(z.number().gt(0).max(1)).describe("Share of it that large GEMMs reach."),
  }),
  intra: link.describe("Between GPUs of a node."),
  inter: link.optional().describe("Between nodes; needed for more than one."),
  origin: z.enum(["file", "probe"]).default("file"),
  measured: measuredSchema.optional(),
});

export type ClusterDocument = z.infer<typeof clusterDocumentSchema>;

const KILO = 1e3;
const GIGA = 1e9;
const TERA = 1e12;

export function fromClusterFile(document: ClusterDocument): Cluster {
  const { accelerator, intra, inter = intra, gpusPerNode, measured } = document;
  return {
    name: document.name,
    accelerator: {
      name: accelerator.name,
      memoryBytes: accelerator.memoryGB * GIGA,
      memoryBandwidth: accelerator.memoryBandwidthGBps * GIGA,
      peakFlops: scaled(accelerator.peakTflops, TERA),
      achievable: scaled(accelerator.achievable, 1),
    },
    nodes: document.nodes,
    gpusPerNode,
    gpusPerDomain: document.gpusPerDomain ?? gpusPerNode,
    intra: toLink(intra),
    inter: toLink(inter),
    origin: document.origin,
    ...(measured === undefined ? {} : { measured }),
  };
}

/** A cluster as the document that `fromClusterFile` reads back. */
export function toClusterFile(cluster: Cluster): ClusterDocument {
  const { accelerator, measured } = cluster;
  return {
    name: cluster.name,
    nodes: cluster.nodes,
    gpusPerNode: cluster.gpusPerNode,
    gpusPerDomain: cluster.gpusPerDomain,
    accelerator: {
      name: accelerator.name,
      memoryGB: accelerator.memoryBytes / GIGA,
      memoryBandwidthGBps: accelerator.memoryBandwidth / GIGA,
      peakTflops: scaled(accelerator.peakFlops, 1 / TERA),
      achievable: scaled(accelerator.achievable, 1),
    },
    intra: fromLink(cluster.intra),
    inter: fromLink(cluster.inter),
    origin: cluster.origin === "probe" ? "probe" : "file",
    ...(measured === undefined ? {} : { measured: measuredSchema.parse(measured) }),
  };
}

type Rates = { [precision in Precision]?: number | undefined };

function scaled(table: Rates, factor: number): { [precision in Precision]?: number } {
  const entries = Object.entries(table).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value * factor] as const],
  );
  return Object.fromEntries(entries);
}

function toLink({ latencyMicroseconds, curve, allReduceGain }: ClusterDocument["intra"]): Link {
  return {
    latencyMs: latencyMicroseconds / 1000,
    curve: curve.map(([kilobytes, rate]) => [kilobytes * KILO, rate * GIGA]),
    ...(allReduceGain === undefined ? {} : { allReduceGain }),
  };
}

function fromLink({ latencyMs, curve, allReduceGain }: Link): ClusterDocument["intra"] {
  return {
    latencyMicroseconds: latencyMs * 1000,
    curve: curve.map(([bytes, rate]) => [bytes / KILO, rate / GIGA]),
    ...(allReduceGain === undefined ? {} : { allReduceGain }),
  };
}

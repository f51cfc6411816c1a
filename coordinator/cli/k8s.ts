import { toJson } from "@bufbuild/protobuf";
import { Command } from "commander";
import { stringify } from "yaml";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { childrenOf } from "../kubernetes/children/children-of.ts";
import { CHILDREN_OPTIONS, type ChildrenOptions } from "../kubernetes/children/options.ts";
import { restrictedProblems } from "../kubernetes/children/pod-security.ts";
import { podTemplate } from "../kubernetes/children/pod-template.ts";
import { type ManifestOptions, readManifest } from "../kubernetes/read-manifest.ts";
import type { PlanDocument } from "../planner/plan-document.ts";
import { planJob } from "../planner/plan-job.ts";
import type { JobFile } from "../spec/load-job.ts";
import { isLocal } from "../spec/planning-defaults.ts";
import { planFile } from "./plan/plan-file.ts";

type RenderOptions = ManifestOptions & { image?: string };

export function k8sCommand(): Command {
  const command = new Command("render")
    .description("print what a job becomes in Kubernetes, without a cluster")
    .argument("<job>", "a MoETrainingJob's manifest, or a job file (YAML)")
    .option("--name <name>", "name of the MoETrainingJob (default: the file's)")
    .option("--namespace <namespace>", "its namespace (default: the file's)")
    .option("--image <image>", "image of the agents (default: that of the release)")
    .action(renderJob);
  return new Command("k8s").description("moestro in Kubernetes").addCommand(command);
}

async function renderJob(path: string, options: RenderOptions): Promise<void> {
  const { text, notes } = await render(path, options);
  console.log(text);
  for (const note of notes) console.error(note);
}

/** The children of the job in a file as YAML, and what a person should know of them. */
export async function render(
  path: string,
  options: RenderOptions = {},
): Promise<{ text: string; notes: string[] }> {
  const { job, file, judge } = await readManifest(path, options);
  const plan = await judge(() => planSnapshot(file));
  const installation = withImage(CHILDREN_OPTIONS, options.image);
  const facts = { plan: `${JSON.stringify(plan, null, 2)}\n`, isBorn: false };
  const documents = childrenOf(job, facts, installation).map((child) =>
    stringify(child, { aliasDuplicateObjects: false, lineWidth: 0 }),
  );
  return {
    text: documents.join("---\n").trimEnd(),
    notes: restrictedProblems(podTemplate(job, installation).spec).map(
      (problem) =>
        `${path}: spec.template: ${problem}; a namespace of the restricted standard refuses such pods`,
    ),
  };
}

function withImage(options: ChildrenOptions, image: string | undefined): ChildrenOptions {
  return image === undefined ? options : { ...options, images: { cpu: image, cuda: image } };
}

/** What moestro plan chooses, and why: for the GPUs that are named, else for the ranks alone. */
async function planSnapshot(file: JobFile): Promise<object> {
  const { job, source } = file;
  if (isLocal(job.cluster)) return toJson(PlanSchema, planJob(job, { source })) as object;
  return chosenOf(await planFile(file, "moestro"));
}

/** Without the other choices, which would be most of it, and without how long it took. */
function chosenOf(document: PlanDocument): Partial<PlanDocument> {
  const { job, model, cluster, batch, fixed, best, reasons } = document;
  return { job, model, cluster, batch, fixed, best, reasons };
}

import { Command } from "commander";
import { stringify } from "yaml";
import { childrenOf } from "../../kubernetes/children/children-of.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { CHILDREN_OPTIONS, type ChildrenOptions } from "../../kubernetes/children/options.ts";
import { restrictedProblems } from "../../kubernetes/children/pod-security.ts";
import { podTemplate } from "../../kubernetes/children/pod-template.ts";
import { type ManifestOptions, readManifest } from "../../kubernetes/read-manifest.ts";
import { planSnapshot } from "../plan/plan-snapshot.ts";

export type RenderOptions = ManifestOptions & { image?: string };

export function renderCommand(): Command {
  return addRenderOptions(
    new Command("render").description("print what a job becomes in Kubernetes, without a cluster"),
  ).action(renderJob);
}

/** Of the commands that ask for a job's children. */
export function addRenderOptions(command: Command): Command {
  return command
    .argument("<job>", "a MoETrainingJob's manifest, or a job file (YAML)")
    .option("--name <name>", "name of the MoETrainingJob (default: the file's)")
    .option("--namespace <namespace>", "its namespace (default: the file's)")
    .option("--image <image>", "image of the agents (default: that of the release)");
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
  const installation = installationWith(options.image);
  const children = childrenOf(job, { plan, isBorn: false }, installation);
  return {
    text: children.map(yamlOf).join("---\n").trimEnd(),
    notes: restrictedProblems(podTemplate(job, installation).spec).map(
      (problem) =>
        `${path}: spec.template: ${problem}; a namespace of the restricted standard refuses such pods`,
    ),
  };
}

/** As people read it, with nothing abbreviated. */
function yamlOf(object: KubernetesObject): string {
  return stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** An installation, by default that of k8s/base, with another image for all agents. */
export function installationWith(
  image: string | undefined,
  installation: ChildrenOptions = CHILDREN_OPTIONS,
): ChildrenOptions {
  return image === undefined
    ? installation
    : { ...installation, images: { cpu: image, cuda: image } };
}

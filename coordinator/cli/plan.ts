import { Command, InvalidArgumentError, Option } from "commander";
import { MoestroError } from "../errors.ts";
import { describeDocument } from "../planner/describe/describe-document.ts";
import { TARGETS, type Target } from "../planner/search/constraints.ts";
import { loadPlanJob } from "../spec/load-job.ts";
import { isLocal } from "../spec/planning-defaults.ts";
import { useColor } from "./options.ts";
import { compareLayouts } from "./plan/compare.ts";
import { planFile } from "./plan/plan-file.ts";
import { describeLocal, localDocument } from "./plan/plan-local.ts";
import { planProbed } from "./plan/plan-probed.ts";
import { whatIf } from "./plan/what-if.ts";

interface PlanOptions {
  json: boolean;
  expressible: Target;
  compare?: string[];
  whatIf?: string;
  profile?: string;
  certify?: number;
}

export function planCommand(): Command {
  return new Command("plan")
    .description("print the best layout, stages and recompute of a job, and why")
    .argument("<job>", "the job file (YAML); model, cluster and batch are enough")
    .option("--json", "the plan as JSON", false)
    .addOption(
      new Option(
        "--expressible <target>",
        "only layouts, schedules and recompute that this software can be told; says what that costs",
      )
        .choices(TARGETS)
        .default("any")
        .conflicts("profile"),
    )
    .addOption(
      new Option(
        "--compare <layouts...>",
        "layouts to set side by side, each as tp=4,pp=12,ep=4,...",
      ).conflicts(["whatIf", "profile"]),
    )
    .addOption(
      new Option(
        "--what-if <change>",
        "gpus=768,1536: plan for other numbers of GPUs too",
      ).conflicts("profile"),
    )
    .addOption(
      new Option(
        "--certify [seconds]",
        "prove the stages of schedules other than 1F1B by a mixed integer programme, for so long",
      )
        .preset(60)
        .argParser(parseSeconds)
        .conflicts(["compare", "whatIf", "profile"]),
    )
    .option("--profile <file>", "plan for this machine as moestro probe measured it")
    .action(async (path: string, options: PlanOptions) => {
      const file = await loadPlanJob(path);
      const print = (value: unknown, text: string) =>
        console.log(options.json ? JSON.stringify(value, null, 2) : text);
      if (options.compare !== undefined) {
        const { choices, text } = await compareLayouts(file, options.expressible, options.compare);
        print(choices, text);
      } else if (options.whatIf !== undefined) {
        const { rows, text } = await whatIf(file, options.expressible, options.whatIf);
        print(rows, text);
      } else if (options.profile !== undefined) {
        const { value, text } = await planProbed(file, options.profile, useColor(process.stdout));
        print(value, text);
      } else if (isLocal(file.job.cluster)) {
        refuseForLocal(options);
        const color = useColor(process.stdout);
        if (options.json) console.log(JSON.stringify(await localDocument(file), null, 2));
        else console.log(describeLocal(file, color));
      } else {
        const document = await planFile(file, options.expressible, options.certify);
        print(document, describeDocument(document, { color: useColor(process.stdout) }));
      }
    });
}

/** The engine's own planner makes the plans of this machine, and takes neither. */
function refuseForLocal({ expressible, certify }: PlanOptions): void {
  const option =
    expressible !== "any"
      ? `--expressible ${expressible}`
      : certify === undefined
        ? undefined
        : "--certify";
  if (option === undefined) return;
  throw new MoestroError(
    "invalid_input",
    `${option}: is for jobs that plan for a cluster, and this one runs on this machine's own engine; leave it out, or give the job a cluster.gpu`,
  );
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new InvalidArgumentError("use a number of seconds above 0.");
}

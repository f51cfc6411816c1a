import { toJson } from "@bufbuild/protobuf";
import { Command } from "commander";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { describePlan } from "../planner/describe-plan.ts";
import { planJob } from "../planner/plan-job.ts";
import { loadJob } from "../spec/load-job.ts";
import { useColor } from "./options.ts";

export function planCommand(): Command {
  return new Command("plan")
    .description("print the plan of a job: layout, stages, and why")
    .argument("<job>", "the job file (YAML)")
    .option("--json", "the plan as plan.json has it", false)
    .action(async (path: string, options: { json: boolean }) => {
      const { job, source } = await loadJob(path);
      const plan = planJob(job, { source });
      if (options.json) console.log(JSON.stringify(toJson(PlanSchema, plan), null, 2));
      else console.log(describePlan(plan, job, { color: useColor(process.stdout) }));
    });
}

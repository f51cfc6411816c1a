import { loadJob } from "./spec/load-job.ts";
import { planJob } from "./planner/plan-job.ts";
import { describePlan } from "./planner/describe-plan.ts";
try { const f = await loadJob(process.argv[2] as string); console.log(describePlan(planJob(f.job,{source:f.source}), f.job, {color:false})); }
catch(e:any){ console.log(e.code,e.exitCode); console.log(e.lines?.join("\n") ?? e.stack); }

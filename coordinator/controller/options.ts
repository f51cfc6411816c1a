import type { Job } from "../spec/schema.ts";
import type { ControllerOptions } from "./controller.ts";

/** The control law a job asks for. */
export function controllerOptions(job: Job): ControllerOptions {
  const { strict: _, ...law } = job.controller;
  return { ...law, balancing: job.moe.balancing };
}

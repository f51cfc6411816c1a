import { basename } from "node:path";
import { followLines } from "../../coordinator/run/follow-file.ts";
import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import type { RankHandle } from "./rank-process.ts";

/** Logs lie in a folder that many nodes share. */
const POLL_MS = 2000;
/** Between two steps that are told: nobody reads each. */
const STEP_EVERY_MS = 10_000;

/** Tells on standard output what a node's ranks do, for who reads the log of its pod. */
export class RankStory {
  private toldAtMs = Number.NEGATIVE_INFINITY;
  private readonly print: (line: string) => void;
  private readonly pollMs: number;

  constructor(print: (line: string) => void = console.log, pollMs = POLL_MS) {
    this.print = print;
    this.pollMs = pollMs;
  }

  /** What a rank writes, to its end. */
  async follow({ ended }: Pick<RankHandle, "ended">, logPath: string): Promise<void> {
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    const name = basename(logPath, ".log");
    const never = new AbortController().signal;
    try {
      for await (const line of followLines(logPath, async () => isOver, never, this.pollMs)) {
        this.print(`${name}: ${line}`);
      }
    } catch (error) {
      this.print(`${name}: its log cannot be read: ${(error as Error).message}`);
    }
  }

  /** Steps, as the node's ranks see them; the loss where the last stage is. */
  step({ step, stepMs, lossSum, lossTokens, gradientNorm }: StepReport): void {
    const nowMs = performance.now();
    if (nowMs - this.toldAtMs < STEP_EVERY_MS) return;
    this.toldAtMs = nowMs;
    const loss = lossTokens > 0n ? `loss ${(lossSum / Number(lossTokens)).toFixed(4)}, ` : "";
    const norm = `gradient norm ${gradientNorm.toFixed(3)}`;
    this.print(`step ${step}: ${loss}${norm}, ${stepMs.toFixed(0)} ms`);
  }
}

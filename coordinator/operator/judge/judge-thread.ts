import { Worker } from "node:worker_threads";
import type { ObservedJob, Verdict } from "../reconcile/observation.ts";

/** A spec to judge, and what came of it. */
export type Question = { id: number; folder: string } & Pick<ObservedJob, "metadata" | "spec">;
export type Answer = { id: number } & ({ verdict: Verdict } | { failure: string });

/** A thread with the planner in it takes memory that nobody needs for long. */
const IDLE_MS = 60_000;

type Waiting = { resolve: (verdict: Verdict) => void; reject: (error: Error) => void };

/**
 * Judges specs in a thread of its own: a plan for many GPUs takes seconds, in which agents
 * would not be answered. Made when it is needed, ended when it was not for a while.
 */
export class JudgeThread {
  private readonly folder: string;
  private readonly waiting = new Map<number, Waiting>();
  private worker: Worker | undefined;
  private numAsked = 0;
  private idle: NodeJS.Timeout | undefined;

  /** @param folder where relative paths of specs begin */
  constructor(folder: string) {
    this.folder = folder;
  }

  judge({ metadata, spec }: Pick<ObservedJob, "metadata" | "spec">): Promise<Verdict> {
    this.numAsked += 1;
    const id = this.numAsked;
    const { resolve, reject, promise } = Promise.withResolvers<Verdict>();
    this.waiting.set(id, { resolve, reject });
    clearTimeout(this.idle);
    this.worker ??= this.start();
    const question: Question = { id, folder: this.folder, metadata, spec };
    this.worker.postMessage(question);
    return promise;
  }

  async close(): Promise<void> {
    clearTimeout(this.idle);
    const { worker } = this;
    this.fail(new Error("the operator ends"));
    await worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./judge-thread-main.ts", import.meta.url));
    worker.on("message", (answer: Answer) => {
      const waiting = this.waiting.get(answer.id);
      this.waiting.delete(answer.id);
      if ("verdict" in answer) waiting?.resolve(answer.verdict);
      else waiting?.reject(new Error(answer.failure));
      if (this.waiting.size === 0) this.idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    });
    worker.on("error", (error) => this.fail(error as Error));
    // It holds no process that has nothing else to do.
    worker.unref();
    return worker;
  }

  private fail(error: Error): void {
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

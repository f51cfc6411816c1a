import { parentPort, Worker } from "node:worker_threads";
import { type ErrorCode, MoestroError } from "./errors.ts";

export interface WorkerCallOptions {
  /** A thread that nobody asked for so long is ended: it takes memory. */
  idleMs: number;
  /** One that does not answer for so long is ended, and everybody told so. */
  mostMs: number;
}

type Asked = { id: number; question: unknown };
type Answered = { id: number } & (
  | { answer: unknown }
  | { failure: string; code?: ErrorCode; lines?: readonly string[] }
);
type Waiting = { resolve: (answer: never) => void; reject: (error: Error) => void };

/**
 * Asks a thread of its own, one question after the other: for what takes so long that nobody
 * else would be answered meanwhile. Made when it is needed, and again after it broke.
 */
export class WorkerCalls<Question, Answer> {
  private readonly module: URL;
  private readonly options: WorkerCallOptions;
  private readonly waiting = new Map<number, Waiting>();
  private worker: Worker | undefined;
  private numAsked = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param module calls `answerCalls` */
  constructor(module: URL, options: WorkerCallOptions) {
    this.module = module;
    this.options = options;
  }

  ask(question: Question): Promise<Answer> {
    this.numAsked += 1;
    const id = this.numAsked;
    const { resolve, reject, promise } = Promise.withResolvers<Answer>();
    this.waiting.set(id, { resolve, reject });
    this.worker ??= this.start();
    const asked: Asked = { id, question };
    this.worker.postMessage(asked);
    if (this.waiting.size === 1) this.watch();
    return promise;
  }

  /** Ends the thread; who waits is told. It may be asked again. */
  close(why = "the thread was ended"): void {
    clearTimeout(this.timer);
    const { worker } = this;
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(new Error(why));
    this.waiting.clear();
    void worker?.terminate();
  }

  /** Since the last answer. */
  private watch(): void {
    const { idleMs, mostMs } = this.options;
    clearTimeout(this.timer);
    this.timer =
      this.waiting.size === 0
        ? setTimeout(() => this.close(), idleMs).unref()
        : setTimeout(() => this.close(`no answer in ${mostMs / 1000} s`), mostMs).unref();
  }

  private start(): Worker {
    const worker = new Worker(this.module);
    worker.on("message", (answered: Answered) => {
      const waiting = this.waiting.get(answered.id);
      this.waiting.delete(answered.id);
      if ("answer" in answered) waiting?.resolve(answered.answer as never);
      else waiting?.reject(errorOf(answered));
      this.watch();
    });
    worker.on("error", (error) => {
      if (this.worker === worker) this.close((error as Error).message);
    });
    // It holds no process that has nothing else to do.
    worker.unref();
    return worker;
  }
}

function errorOf({ failure, code, lines }: Extract<Answered, { failure: string }>): Error {
  return code && lines ? new MoestroError(code, lines) : new Error(failure);
}

/** What a thread does that WorkerCalls ask. */
export function answerCalls<Question, Answer>(
  answerTo: (question: Question) => Answer | Promise<Answer>,
): void {
  parentPort?.on("message", async ({ id, question }: Asked) => {
    const say = (told: Answered) => parentPort?.postMessage(told);
    try {
      say({ id, answer: await answerTo(question as Question) });
    } catch (error) {
      const failure = (error as Error).message;
      const known = error instanceof MoestroError ? { code: error.code, lines: error.lines } : {};
      say({ id, failure, ...known });
    }
  });
}

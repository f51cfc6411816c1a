import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import type { EventRecord, MetricsRecord } from "../../report/records.ts";
import {
  BEGIN_FRAME,
  CLEAR,
  cursorUp,
  END_FRAME,
  ERASE_BELOW,
  ERASE_LINE,
  HIDE_CURSOR,
  SHOW_CURSOR,
} from "./escapes.ts";
import { Output } from "./output.ts";
import { renderFrame } from "./render-frame.ts";
import { describeScreen, type Environment } from "./terminal.ts";
import type { View } from "./view.ts";
import { initialState, type ViewState, withEvent, withStep } from "./view-state.ts";

/** At most five frames a second. */
const FRAME_MS = 200;

export type LiveViewOptions = {
  stream: NodeJS.WriteStream;
  env: Environment;
  name: string;
  plan: Plan;
};

/** Redraws the run in place; the last frame stays on the screen. */
export class LiveView implements View {
  readonly #options: LiveViewOptions;
  readonly #output: Output;
  #state: ViewState;
  #timer: NodeJS.Timeout | undefined;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  /** Lines of the frame above the cursor. */
  #height = 0;
  #resized = false;
  #closed = false;
  readonly #onResize = () => {
    this.#resized = true;
    this.#schedule();
  };
  // Runs on a crash too: an uncaught error ends in the exit event.
  readonly #onExit = () => this.#output.write(SHOW_CURSOR);

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#output = new Output(options.stream);
    this.#state = initialState(options.name, options.plan);
    options.stream.on("resize", this.#onResize);
    process.on("exit", this.#onExit);
    this.#output.write(HIDE_CURSOR);
    this.#schedule();
  }

  status(status: RunStatus): void {
    this.#state = { ...this.#state, status };
    this.#schedule();
  }

  step(record: MetricsRecord): void {
    this.#state = withStep(this.#state, record);
    this.#schedule();
  }

  event(record: EventRecord): void {
    this.#state = withEvent(this.#state, record);
    this.#schedule();
  }

  /** The last frame has it all. */
  summary(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#draw();
    this.#output.write(SHOW_CURSOR);
    this.#options.stream.off("resize", this.#onResize);
    process.off("exit", this.#onExit);
  }

  /** One timer at most; it keeps no process alive. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const wait = Math.max(0, this.#drawnAtMs + FRAME_MS - performance.now());
    this.#timer = setTimeout(() => this.#onTimer(), wait).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#drawnAtMs = performance.now();
    if (this.#output.isBehind) this.#schedule();
    else this.#draw();
  }

  #draw(): void {
    const { stream, env } = this.#options;
    const lines = renderFrame(this.#state, describeScreen(stream, env));
    // A resize moves what was drawn in ways that terminals do not agree on.
    const back = this.#resized ? CLEAR : cursorUp(this.#height);
    const body = lines.map((line) => `${line}${ERASE_LINE}\n`).join("");
    this.#output.write(`${BEGIN_FRAME}${back}${body}${ERASE_BELOW}${END_FRAME}`);
    this.#height = lines.length;
    this.#resized = false;
  }
}

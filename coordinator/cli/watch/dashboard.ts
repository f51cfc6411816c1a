import { INTERRUPTED } from "../exit-codes.ts";
import { stopOnSignals } from "../signals.ts";
import { describeScreen, type Environment } from "../view/terminal.ts";
import { Feed, type FeedOptions } from "./feed.ts";
import { FullScreen } from "./full-screen.ts";
import { readKeys } from "./keyboard.ts";
import { type Action, withAction } from "./navigate.ts";
import { renderRun } from "./render-run.ts";
import { renderRuns } from "./render-runs.ts";
import { initialWatch, openRun, type Update, type WatchState, withUpdate } from "./watch-state.ts";

/** At most ten frames a second. */
const FRAME_MS = 100;
/** Times on the screen go on while nothing comes in. */
const CLOCK_MS = 1000;

export type DashboardOptions = Pick<FeedOptions, "coordinators"> & {
  stream: NodeJS.WriteStream;
  input: NodeJS.ReadStream;
  env: Environment;
  /** The run to open at first. */
  runId: string | undefined;
};

/** Shows the runs until a person has seen enough; returns the exit code. */
export async function showDashboard(options: DashboardOptions): Promise<number> {
  const { stream, input, env, runId, coordinators } = options;
  let exitCode = 0;
  let state = initialWatch(performance.now());
  let drawing: NodeJS.Timeout | undefined;
  const feed = new Feed({ coordinators, update: (update) => updated(update) });
  const screen = new FullScreen(stream, () => draw());
  const draw = () => {
    drawing = undefined;
    if (screen.isBehind) return schedule();
    const size = describeScreen(stream, env);
    screen.draw(state.open ? renderRun(state, size) : renderRuns(state, size));
  };
  const schedule = () => {
    drawing ??= setTimeout(draw, FRAME_MS);
  };
  const show = (next: WatchState) => {
    state = next;
    feed.follow(state.open?.runId);
  };
  const updated = (update: Update) => {
    show(withUpdate(state, update));
    schedule();
  };
  const interrupt = () => {
    exitCode = INTERRUPTED;
    feed.stop();
  };
  const pressed = (action: Action) => {
    if (action === "interrupt") interrupt();
    else if (action === "quit") feed.stop();
    else {
      show(withAction(state, action));
      // A key is answered at once.
      draw();
    }
  };
  const signals = stopOnSignals(interrupt);
  const clock = setInterval(() => {
    state = { ...state, nowMs: performance.now() };
    schedule();
  }, CLOCK_MS);
  const releaseKeys = readKeys(input, pressed);
  if (runId !== undefined) show(openRun(state, runId));
  draw();
  try {
    await feed.run();
    return exitCode;
  } finally {
    feed.stop();
    clearInterval(clock);
    clearTimeout(drawing);
    releaseKeys();
    screen.leave();
    signals.release();
  }
}

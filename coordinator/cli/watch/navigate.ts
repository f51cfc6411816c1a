import { openRun, type WatchState } from "./watch-state.ts";

/** What a person at the dashboard wants. */
export type Action = "up" | "down" | "first" | "last" | "open" | "back" | "quit" | "interrupt";

/** Keys by what terminals send for them. */
const KEYS: Readonly<Record<string, Action>> = {
  ...{ "\u001b[A": "up", "\u001bOA": "up", k: "up" },
  ...{ "\u001b[B": "down", "\u001bOB": "down", j: "down" },
  ...{ "\u001b[H": "first", "\u001bOH": "first", g: "first" },
  ...{ "\u001b[F": "last", "\u001bOF": "last", G: "last" },
  ...{ "\r": "open", "\n": "open", "\u001b[C": "open", "\u001bOC": "open", l: "open" },
  ...{ "\u001b": "back", "\u007f": "back", "\b": "back", "\u001b[D": "back", "\u001bOD": "back" },
  ...{ h: "back", q: "quit", "\u0003": "interrupt", "\u0004": "quit" },
};

// One key: a sequence of the terminal's, or a character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what keys begin with.
const KEY = /\u001b(?:\[[\d;?]*[ -/]*[@-~]|O[A-Za-z])|./gsu;

/** The keys in what was typed that mean something, in order. */
export function actionsOf(typed: string): Action[] {
  return (typed.match(KEY) ?? []).flatMap((key) => KEYS[key] ?? []);
}

/** The state after a key. */
export function withAction(state: WatchState, action: Action): WatchState {
  const { runs, chosen, open } = state;
  if (open) return action === "back" ? { ...state, open: undefined } : state;
  const index = runs.findIndex(({ runId }) => runId === chosen);
  const choose = (at: number) => {
    const run = runs[Math.max(0, Math.min(at, runs.length - 1))];
    return run ? { ...state, chosen: run.runId } : state;
  };
  switch (action) {
    case "up":
      return choose(index - 1);
    case "down":
      return choose(index + 1);
    case "first":
      return choose(0);
    case "last":
      return choose(runs.length - 1);
    case "open":
      return chosen === undefined ? state : openRun(state, chosen);
    default:
      return state;
  }
}

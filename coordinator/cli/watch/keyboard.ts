import { ESC } from "../view/escapes.ts";
import { type Action, actionsOf } from "./navigate.ts";

/** A lone escape may be the beginning of a key's sequence: its rest comes at once. */
const ESCAPE_MS = 50;

/** Reads keys, unless the input is no terminal; returns what gives the terminal back. */
export function readKeys(input: NodeJS.ReadStream, pressed: (action: Action) => void): () => void {
  if (!input.isTTY) return () => {};
  let held = "";
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    const typed = held;
    held = "";
    for (const action of actionsOf(typed)) pressed(action);
  };
  const onData = (chunk: string) => {
    clearTimeout(timer);
    held += chunk;
    if (held.endsWith(ESC)) timer = setTimeout(tell, ESCAPE_MS);
    else tell();
  };
  // The terminal was closed.
  const onEnd = () => pressed("interrupt");
  input.setRawMode(true);
  input.setEncoding("utf8");
  input.on("data", onData);
  for (const end of ["end", "error"]) input.on(end, onEnd);
  return () => {
    clearTimeout(timer);
    input.off("data", onData);
    input.off("end", onEnd);
    if (!input.destroyed) input.setRawMode(false);
    input.pause();
  };
}

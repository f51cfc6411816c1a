import { Option } from "commander";

/** The store of all runs in a folder. */
export const STORE_FILE = "moestro.db";

/** Where runs lie, for every command that looks at them. */
export function runsDirectoryOption(): Option {
  return new Option("--runs-dir <folder>", "folder that holds the runs").default("runs");
}

/** Whether a stream is a terminal that a person wants colours on (no-color.org). */
export function useColor(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

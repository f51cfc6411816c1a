import { InvalidArgumentError, Option } from "commander";
import { type HostPort, readAddress } from "../rpc/address.ts";

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

/** host:port to listen on, as commander's argument parsers do. */
export function parseAddress(text: string): HostPort {
  const { host, port } = readAddress(text) ?? {};
  if (host === undefined || port === undefined) {
    throw new InvalidArgumentError("give host:port, such as 127.0.0.1:0 or [::1]:0");
  }
  return { host, port };
}

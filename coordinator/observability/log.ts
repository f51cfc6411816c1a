import { pino } from "pino";
import { LineWriter } from "./line-writer.ts";
import { prettyLines } from "./pretty-lines.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line is about, as far as known. There is no field that a secret belongs in. */
export type LogFields = {
  run?: string | undefined;
  generation?: number | undefined;
  rank?: number | undefined;
  agent?: string | undefined;
  /** Of the coordinator's lease. */
  epoch?: number | undefined;
  /** A dotted name, such as `run.started`. */
  event?: string | undefined;
  /** Of our own mistakes: the line gets its stack. */
  error?: unknown;
};

type Write = (message: string, fields?: LogFields) => void;

/** The service's log; a message is a sentence for a person. No call throws or waits. */
export type Log = Record<LogLevel, Write>;

const SECRETS = ["token", "key", "authorization"];

export type LogOptions = {
  level: LogLevel;
  /** File descriptor; standard error by default. */
  fd?: number;
  /** Short lines for a person in the place of JSON; by default where it is a terminal. */
  pretty?: boolean;
};

/** JSON lines, or short lines on a terminal. */
export function openLog({
  level,
  fd = process.stderr.fd,
  pretty = fd === process.stderr.fd && process.stderr.isTTY === true,
}: LogOptions): Log {
  const file = new LineWriter(fd);
  const options: pino.LoggerOptions = {
    level,
    base: null,
    messageKey: "message",
    errorKey: "error",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // Nothing passes one; this is for the day somebody does.
    redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
  };
  const logger = pino(options, pretty ? prettyLines(file) : file);
  const at =
    (level: LogLevel): Write =>
    (message, fields = {}) =>
      logger[level](fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

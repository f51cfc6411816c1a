import { MoestroError } from "../../errors.ts";
import type { PartitionLayer, PartitionProblem, RecomputeOption } from "./problem.ts";

/** Sums and products of what is allowed stay exact enough to compare. */
const MOST_MS = 1e12;
const MOST_BYTES = 1e16;
const MOST_LAYERS = 1000;
/** The simulator holds an entry for each micro-batch of each stage. */
const MOST_PASSES = 1e6;

/** The solver tries them in every number of layers. */
const MOST_OPTIONS = 32;

/** What a layer without `options` has: everything is kept, and costs nothing. */
const KEEP: RecomputeOption = { name: "none", extraBackwardMs: 0, activationBytes: 0 };

type Fields = Record<string, unknown>;

/**
 * The problem of a JSON file for `moestro partition`.
 *
 * @param path names the file in errors
 * @throws MoestroError `invalid_input`, one line that points at the field
 */
export function readProblem(text: string, path: string): PartitionProblem {
  const fail = (at: string, what: string): never => {
    throw new MoestroError("invalid_input", `${path}: ${at === "" ? "" : `${at}: `}${what}`);
  };
  const reader = new Reader(fail);
  let value: unknown;
  try {
    // Some editors begin a file with a byte order mark.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    const detail = (error as Error).message.replaceAll(/\s+/g, " ");
    fail("", `not JSON (${detail}); write an object with stages, microBatches and layers`);
  }
  return reader.problem(value);
}

class Reader {
  readonly #fail: (at: string, what: string) => never;

  constructor(fail: (at: string, what: string) => never) {
    this.#fail = fail;
  }

  problem(value: unknown): PartitionProblem {
    const names = ["stages", "microBatches", "p2pMs", "memoryBytes", "layers"];
    const fields = this.#fields(value, "", names);
    const stages = this.#count(fields.stages, "stages");
    const microBatches = this.#count(fields.microBatches, "microBatches");
    if (stages * microBatches > MOST_PASSES) {
      this.#fail(
        "microBatches",
        `${microBatches} on ${stages} stages is too many to simulate; use fewer`,
      );
    }
    const p2pMs = fields.p2pMs === undefined ? 0 : this.#amount(fields.p2pMs, "p2pMs", MOST_MS);
    const memoryBytes = this.#memory(fields.memoryBytes, stages);
    const layers = this.#list(fields.layers, "layers", "layers").map((layer, index) =>
      this.#layer(layer, `layers[${index}]`),
    );
    if (layers.length > MOST_LAYERS) {
      this.#fail("layers", `${layers.length} layers are too many; use at most ${MOST_LAYERS}`);
    }
    if (stages > layers.length) {
      const rule = "every stage needs a layer";
      this.#fail(
        "stages",
        `${stages} for ${layers.length} layers, but ${rule}; use at most ${layers.length}`,
      );
    }
    return { stages, microBatches, p2pMs, memoryBytes, layers };
  }

  #memory(value: unknown, stages: number): number | number[] {
    if (!Array.isArray(value)) return this.#amount(value, "memoryBytes", MOST_BYTES);
    if (value.length !== stages) {
      this.#fail(
        "memoryBytes",
        `${value.length} entries for ${stages} stages; use one number or ${stages}`,
      );
    }
    return value.map((each, index) => this.#amount(each, `memoryBytes[${index}]`, MOST_BYTES));
  }

  #layer(value: unknown, at: string): PartitionLayer {
    const names = ["name", "forwardMs", "backwardMs", "weightGradMs", "staticBytes", "options"];
    const fields = this.#fields(value, at, names);
    const options =
      fields.options === undefined
        ? [KEEP]
        : this.#list(fields.options, `${at}.options`, "options").map((option, index) =>
            this.#option(option, `${at}.options[${index}]`),
          );
    if (options.length > MOST_OPTIONS) {
      this.#fail(`${at}.options`, `${options.length} are too many; use at most ${MOST_OPTIONS}`);
    }
    const twice = options.find(
      ({ name }, index) => options.findIndex((o) => o.name === name) < index,
    );
    if (twice !== undefined) {
      this.#fail(`${at}.options`, `two are named ${JSON.stringify(twice.name)}; use a name once`);
    }
    const backwardMs = this.#amount(fields.backwardMs, `${at}.backwardMs`, MOST_MS);
    const { weightGradMs } = fields;
    if (typeof weightGradMs === "number" && weightGradMs > backwardMs) {
      const rule = `it is a part of backwardMs, ${backwardMs}`;
      this.#fail(`${at}.weightGradMs`, `${weightGradMs} is too long: ${rule}; use that or less`);
    }
    return {
      name: this.#name(fields.name, `${at}.name`),
      forwardMs: this.#amount(fields.forwardMs, `${at}.forwardMs`, MOST_MS),
      backwardMs,
      ...(weightGradMs === undefined
        ? {}
        : { weightGradMs: this.#amount(weightGradMs, `${at}.weightGradMs`, MOST_MS) }),
      staticBytes: this.#amount(fields.staticBytes, `${at}.staticBytes`, MOST_BYTES),
      options,
    };
  }

  #option(value: unknown, at: string): RecomputeOption {
    const names = ["name", "extraBackwardMs", "activationBytes", "workspaceBytes"];
    const fields = this.#fields(value, at, names);
    const { workspaceBytes } = fields;
    return {
      name: this.#name(fields.name, `${at}.name`),
      extraBackwardMs: this.#amount(fields.extraBackwardMs, `${at}.extraBackwardMs`, MOST_MS),
      activationBytes: this.#amount(fields.activationBytes, `${at}.activationBytes`, MOST_BYTES),
      ...(workspaceBytes === undefined
        ? {}
        : { workspaceBytes: this.#amount(workspaceBytes, `${at}.workspaceBytes`, MOST_BYTES) }),
    };
  }

  #fields(value: unknown, at: string, names: readonly string[]): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#fail(at, `${show(value)} is not an object; use one with ${names.join(", ")}`);
    }
    const unknown = Object.keys(value as Fields).find((name) => !names.includes(name));
    if (unknown !== undefined) {
      const name = /^[\w-]+$/.test(unknown) ? unknown : show(unknown);
      const where = at === "" ? name : `${at}.${name}`;
      this.#fail(where, `unknown field; use ${names.join(", ")}`);
    }
    return value as Fields;
  }

  #list(value: unknown, at: string, what: string): unknown[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.#fail(at, `${show(value)} is not a list of ${what}; use at least one`);
    }
    return value as unknown[];
  }

  #name(value: unknown, at: string): string {
    if (typeof value !== "string" || value === "") {
      this.#fail(at, `${show(value)} is not a name; use text in quotes`);
    }
    return value as string;
  }

  #count(value: unknown, at: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      this.#fail(at, `${show(value)} is not a count; use a whole number of at least 1`);
    }
    return value as number;
  }

  #amount(value: unknown, at: string, most: number): number {
    const unit = at.includes("Ms") ? "milliseconds" : "bytes";
    if (typeof value !== "number" || !(value >= 0 && value <= most)) {
      this.#fail(at, `${show(value)} is not an amount of ${unit}; use a number from 0 to ${most}`);
    }
    return value as number;
  }
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  // JSON has no infinity: 1e999 reads as one.
  if (typeof value === "number") return String(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

import { MoestroError } from "../../errors.ts";

/** Far above any real pipeline; keeps `t*999999999` from filling memory. */
const MOST_LETTERS = 100_000;

/**
 * Megatron-Core's layout string of these stages, the letters of each in order:
 * `E` embedding, `t` decoder layer, `m` multi-token prediction, `L` loss. Stage
 * i is chunk ⌊i / PP⌋ of pipeline rank i mod PP. Runs are written `t*n` and `(tt|)*n`.
 */
export function formatMegatronLayout(stages: readonly string[]): string {
  const units = stages.map((stage, i) => shorten(stage) + (i < stages.length - 1 ? "|" : ""));
  let text = "";
  for (let i = 0; i < units.length; ) {
    const unit = units[i] ?? "";
    let count = 1;
    while (units[i + count] === unit) count++;
    const plain = unit.repeat(count);
    const folded = `(${unit})*${count}`;
    // An empty stage has nothing to put in brackets.
    text += count > 2 && unit.length > 1 && folded.length < plain.length ? folded : plain;
    i += count;
  }
  return text;
}

function shorten(stage: string): string {
  return stage.replace(/(.)\1{2,}/g, (run, letter: string) => `${letter}*${run.length}`);
}

/**
 * The letters of every stage of a layout string, by Megatron-Core's grammar:
 * commas mean nothing, `(..)*n` is expanded before `x*n`, and brackets do not
 * nest. Throws `invalid_input` where the string is not one, or has not exactly
 * one `E` at its start and one `L` at its end.
 */
export function parseMegatronLayout(text: string): string[] {
  const plain = expand(
    expand(text.replaceAll(/[,\s]/g, ""), /\(([^()]*)\)\*(\d+)/g),
    /([^()*\d])\*(\d+)/g,
  );
  const strange = plain.match(/[^EtmL|]/)?.[0];
  if (strange !== undefined) {
    throw refused(
      text,
      `"${strange}" is out of place; a layout is made of E, t, m, L, |, x*n and (..)*n`,
    );
  }
  const letters = plain.replaceAll("|", "");
  if (!/^E[^EL]*L$/.test(letters)) {
    throw refused(text, "one E has to stand first and one L last, and nowhere else");
  }
  return plain.split("|");
}

function expand(text: string, runs: RegExp): string {
  let size = text.length;
  return text.replace(runs, (_, body: string, count: string) => {
    size += body.length * Number(count);
    if (size > MOST_LETTERS) throw refused(text, `it is longer than ${MOST_LETTERS} letters`);
    return body.repeat(Number(count));
  });
}

function refused(text: string, why: string): MoestroError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return new MoestroError("invalid_input", `pipeline layout "${shown}": ${why}`);
}

/**
 * Why Megatron-Core cannot run these stages on so many pipeline ranks; undefined
 * when it can. Stricter than the grammar: empty stages parse but have
 * deadlocked (NVIDIA/Megatron-LM issue 1852).
 */
export function whyNotMegatronStages(
  stages: readonly string[],
  pipelineParallel: number,
): string | undefined {
  if (stages.length % pipelineParallel !== 0) {
    return `${stages.length} stages are not a multiple of ${pipelineParallel} pipeline ranks`;
  }
  const empty = stages.indexOf("");
  if (empty >= 0) return `stage ${empty} is empty, and Megatron's pipelines hang on empty stages`;
  const predicting = stages.flatMap((stage, i) => (stage.includes("m") ? [i] : []));
  if (predicting.length > 1) {
    return `stages ${predicting.join(" and ")} hold multi-token prediction, which Megatron keeps on one`;
  }
  const [only] = predicting;
  if (only !== undefined && only < stages.length - pipelineParallel) {
    return `stage ${only} holds multi-token prediction, which Megatron keeps on a rank's last chunk`;
  }
  return undefined;
}

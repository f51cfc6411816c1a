import type { LayerRecord, MetricsRecord } from "./records.ts";

type Bucket = { record: MetricsRecord; count: number };

/**
 * Takes steps one at a time and keeps at most `limit` records in memory,
 * however long the run: when full, neighbours are merged into their mean.
 */
export class MetricsThinner {
  readonly #limit: number;
  #buckets: Bucket[] = [];
  /** Steps in a full bucket. */
  #width = 1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * A step at or before the last one comes from a run that went back to a
   * checkpoint: what was kept of the abandoned steps is dropped.
   */
  add(record: MetricsRecord): void {
    while ((this.#buckets.at(-1)?.record.step ?? -1) >= record.step) this.#buckets.pop();
    const last = this.#buckets.at(-1);
    if (last !== undefined && last.count < this.#width) {
      this.#buckets[this.#buckets.length - 1] = merge(last, { record, count: 1 });
      return;
    }
    this.#buckets.push({ record, count: 1 });
    if (this.#buckets.length > this.#limit) this.#halve();
  }

  /** The kept records, by rising step; each stands at its last step. */
  records(): MetricsRecord[] {
    return this.#buckets.map((bucket) => bucket.record);
  }

  /** Steps that one record stands for. */
  get stepsPerRecord(): number {
    return this.#width;
  }

  #halve(): void {
    const halved: Bucket[] = [];
    for (let i = 0; i < this.#buckets.length; i += 2) {
      const [first, second] = [this.#buckets[i], this.#buckets[i + 1]];
      if (first === undefined) continue;
      halved.push(second === undefined ? first : merge(first, second));
    }
    this.#buckets = halved;
    this.#width *= 2;
  }
}

/** The step-weighted mean of two neighbours; the second is the later one. */
function merge(a: Bucket, b: Bucket): Bucket {
  const count = a.count + b.count;
  const mean = (x: number, y: number) => (x * a.count + y * b.count) / count;
  const [first, second] = [a.record, b.record];
  const layers = second.layers.map((layer, i): LayerRecord => {
    const before = first.layers[i];
    if (before === undefined) return layer;
    const expertSimilarity = layer.expertSimilarity ?? before.expertSimilarity;
    return {
      layer: layer.layer,
      dropRate: mean(before.dropRate, layer.dropRate),
      auxCoeff: mean(before.auxCoeff, layer.auxCoeff),
      auxLoss: mean(before.auxLoss, layer.auxLoss),
      expertLoad: layer.expertLoad.map((load, e) => mean(before.expertLoad[e] ?? load, load)),
      ...(layer.zLoss === undefined
        ? {}
        : { zLoss: mean(before.zLoss ?? layer.zLoss, layer.zLoss) }),
      ...(expertSimilarity === undefined ? {} : { expertSimilarity }),
    };
  });
  const stages = second.stages.map((stage, i) => {
    const before = first.stages[i] ?? stage;
    return {
      stage: stage.stage,
      computeMs: mean(before.computeMs, stage.computeMs),
      communicationMs: mean(before.communicationMs, stage.communicationMs),
    };
  });
  const validationLoss = second.validationLoss ?? first.validationLoss;
  const record: MetricsRecord = {
    step: second.step,
    loss: mean(first.loss, second.loss),
    gradNorm: mean(first.gradNorm, second.gradNorm),
    lr: mean(first.lr, second.lr),
    tokens: mean(first.tokens, second.tokens),
    stepMs: mean(first.stepMs, second.stepMs),
    tokensPerSecond: mean(first.tokensPerSecond, second.tokensPerSecond),
    layers,
    memory: second.memory,
    stages,
    time: second.time,
    ...(validationLoss === undefined ? {} : { validationLoss }),
  };
  return { record, count };
}

import { z } from "zod";
import type { EventRecord, MetricsRecord, SummaryRecord, TimelineRecord } from "./records.ts";

/**
 * What the report accepts from a run's folder. JSON has no NaN: a diverged
 * figure is written as null and is NaN again here.
 */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const index = z.int();

export const metricsSchema: z.ZodType<MetricsRecord> = z
  .object({
    step: index,
    loss: figure,
    gradNorm: figure,
    lr: figure,
    tokens: figure,
    stepMs: figure,
    tokensPerSecond: figure,
    layers: z.array(
      z
        .object({
          layer: index,
          dropRate: figure,
          auxCoeff: figure,
          auxLoss: figure,
          expertLoad: z.array(figure),
          zLoss: figure.optional(),
          expertSimilarity: figure.optional(),
        })
        .transform(({ zLoss, expertSimilarity, ...rest }) => ({
          ...rest,
          ...(zLoss === undefined ? {} : { zLoss }),
          ...(expertSimilarity === undefined ? {} : { expertSimilarity }),
        })),
    ),
    memory: z.object({
      peakBytes: figure,
      stages: z.array(z.object({ stage: index, peakBytes: figure })),
    }),
    stages: z.array(z.object({ stage: index, computeMs: figure, communicationMs: figure })),
    validationLoss: figure.optional(),
    time: z.string(),
  })
  .transform(({ validationLoss, ...rest }) =>
    validationLoss === undefined ? rest : { ...rest, validationLoss },
  );

export const eventSchema: z.ZodType<EventRecord> = z.looseObject({
  time: z.string(),
  event: z.string(),
  message: z.string(),
});

const figureOrNull = z
  .number()
  .nullish()
  .transform((value) => value ?? null);

export const summarySchema: z.ZodType<SummaryRecord> = z.looseObject({
  runId: z.string(),
  name: z.string(),
  status: z.enum(["succeeded", "stopped", "failed"]),
  reason: z.string(),
  steps: index,
  firstLoss: figureOrNull,
  finalLoss: figureOrNull,
  validationLoss: figureOrNull,
  tokensPerSecond: figureOrNull,
  meanDropRateFirst: figureOrNull,
  meanDropRateLast: figureOrNull,
  wallSeconds: figure,
  trainSeconds: figureOrNull,
  sample: z
    .string()
    .nullish()
    .transform((text) => text ?? null),
});

export const timelineSchema: z.ZodType<TimelineRecord> = z.object({
  step: index,
  stages: z.array(
    z.object({
      stage: index,
      events: z.array(
        z.object({
          kind: z.enum(["forward", "backward", "optimizer"]),
          microBatch: index,
          startMs: z.number(),
          endMs: z.number(),
        }),
      ),
    }),
  ),
});

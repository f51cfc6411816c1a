import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AuxLossForm,
  DataBlendSchema,
  type DataConfig,
  DropPolicy,
  type EngineJob,
  EngineJobSchema,
  GateFunction,
  Precision,
  type TrainingConfigSchema,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { changesByStep } from "../controller/controller.ts";
import { denseLayersOf } from "./dense-layers.ts";
import type { Job } from "./schema.ts";

/** Where a run keeps its things, and what its ranks compute on. */
export interface EngineSurroundings {
  /** Absolute folder for checkpoints. */
  checkpointDirectory: string;
  /** Absolute folder for tokenised text, shared between runs. */
  cacheDirectory: string;
  device: "cpu" | "cuda";
}

const AUX_LOSS_FORMS: Record<Job["moe"]["auxLoss"], AuxLossForm> = {
  skywork: AuxLossForm.SKYWORK,
  switch: AuxLossForm.SWITCH,
};

const GATE_FUNCTIONS: Record<Job["moe"]["gateFunction"], GateFunction> = {
  softmax: GateFunction.SOFTMAX,
  sigmoid: GateFunction.SIGMOID,
};

const DROP_POLICIES: Record<Job["moe"]["dropPolicy"], DropPolicy> = {
  probs: DropPolicy.PROBS,
  position: DropPolicy.POSITION,
};

/** The job as the engine gets it: every field set, nothing left to choose. */
export function compileJob(job: Job, surroundings: EngineSurroundings): EngineJob {
  const { model, moe, data, checkpoint } = job;
  return create(EngineJobSchema, {
    ...compileModel({ model, moe }),
    training: compileTraining(job.training),
    data: {
      source: compileSource(data),
      cacheDirectory: surroundings.cacheDirectory,
      validationFraction: data.validationFraction,
    },
    checkpoint: {
      directory: surroundings.checkpointDirectory,
      everySteps: BigInt(checkpoint.everySteps),
    },
    device: surroundings.device,
    // Where the law's values never change there is nothing to wait for.
    strictControl: job.controller.strict && changesByStep(moe.balancing),
  });
}

/** The model alone, with its gate and experts. */
export function compileModel({
  model,
  moe,
}: Pick<Job, "model" | "moe">): Pick<MessageInitShape<typeof EngineJobSchema>, "model" | "moe"> {
  const denseLayers = denseLayersOf(model);
  const sharedFfnHiddenSize = model.sharedFfnHiddenSize ?? 0;
  return {
    model: {
      numLayers: model.layers,
      hiddenSize: model.hiddenSize,
      numHeads: model.heads,
      numKvHeads: model.kvHeads,
      headDim: model.headDim,
      ffnHiddenSize: model.ffnHiddenSize,
      vocabSize: model.vocabSize,
      ropeTheta: model.ropeTheta,
      rmsNormEpsilon: model.rmsNormEps,
      tiedEmbeddings: model.tiedEmbeddings,
      denseLayers,
      denseFfnHiddenSize:
        denseLayers.length > 0 ? (model.denseFfnHiddenSize ?? model.ffnHiddenSize) : 0,
      sharedFfnHiddenSize,
      sharedExpertGate: sharedFfnHiddenSize > 0 && model.sharedExpertGate === true,
    },
    moe: {
      numExperts: moe.experts,
      topK: moe.topK,
      capacityFactor: moe.capacityFactor === "dropless" ? 0 : moe.capacityFactor,
      gateNormalization: moe.gateNormalization === false ? 0 : moe.gateNormalization,
      auxLossForm: AUX_LOSS_FORMS[moe.auxLoss],
      gateWithoutBias: model.routerBias === false,
      gateFunction: GATE_FUNCTIONS[moe.gateFunction],
      withoutRenormalization: !moe.renormalize,
      dropPolicy: DROP_POLICIES[moe.dropPolicy],
      withoutPadding: !moe.padding,
      zLossCoefficient: moe.zLoss,
      selectionBias: moe.balancing === "bias",
    },
  };
}

function compileSource({ path, sources }: Job["data"]): DataConfig["source"] {
  if (sources !== undefined) return { case: "blend", value: create(DataBlendSchema, { sources }) };
  if (path !== undefined) return { case: "textPath", value: path };
  return { case: "pythonStandardLibrary", value: true };
}

function compileTraining(training: Job["training"]): MessageInitShape<typeof TrainingConfigSchema> {
  return {
    steps: BigInt(training.steps),
    sequenceLength: training.sequenceLength,
    globalBatchSize: training.globalBatchSize,
    learningRate: training.learningRate,
    minLearningRate: training.minLearningRate,
    warmupSteps: BigInt(training.warmupSteps),
    weightDecay: training.weightDecay,
    adamBeta1: training.adamBeta1,
    adamBeta2: training.adamBeta2,
    adamEpsilon: training.adamEpsilon,
    clipGradNorm: training.clipGradNorm,
    seed: BigInt(training.seed),
    validationEverySteps: BigInt(training.validationEverySteps),
    validationBatches: training.validationBatches,
    initStd: training.initStd,
    timelineEverySteps: BigInt(training.timelineEverySteps),
    sampleBytes: training.sampleBytes,
    samplePrompt: training.samplePrompt,
    precision: training.precision === "bf16" ? Precision.BF16 : Precision.FP32,
  };
}

import {
  AuxLossForm,
  DropPolicy,
  type EngineJob,
  GateFunction,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import { isCheckpoint, readManifest } from "../run/ledger.ts";
import { DamageError } from "../run/manifest.ts";
import { denseLayersOf } from "./dense-layers.ts";
import { isMapping } from "./mapping.ts";
import type { KnownModel } from "./presets.ts";
import type { Problem } from "./problems.ts";
import type { Model } from "./schema.ts";

/**
 * The model that a checkpoint's weights are of, as its manifest says.
 *
 * @throws MoestroError `invalid_input`, one line that begins with `shownName`
 */
export function readWeightsModel(directory: string, shownName: string): KnownModel {
  if (!isCheckpoint(directory)) {
    throw new MoestroError(
      "invalid_input",
      `${shownName}: holds no checkpoint; give a folder of moestro import or moestro upcycle, or runs/<id>/checkpoints/step-<number>`,
    );
  }
  try {
    return knownModel(readManifest(directory).job);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    throw new MoestroError(
      "invalid_input",
      `${shownName}: ${error.message}; use another checkpoint`,
    );
  }
}

/** What the weights leave no choice about. RoPE and epsilons are no weights. */
const FIXED: readonly (keyof Model)[] = [
  ...["layers", "hiddenSize", "heads", "kvHeads", "headDim", "ffnHiddenSize", "vocabSize"],
  ...["tiedEmbeddings", "routerBias"],
  ...["denseFfnHiddenSize", "sharedFfnHiddenSize", "sharedExpertGate"],
] as (keyof Model)[];

/** What a person wrote beside `model.weights` that the weights do not have. */
export function unlikeWeights(known: KnownModel, model: object, moe: unknown): Problem[] {
  const written = { ...model } as Partial<Model>;
  const unlike = (path: [string, string], wanted: unknown, found: unknown): Problem[] =>
    wanted === undefined || wanted === found
      ? []
      : [{ path, message: `${wanted}, but model.weights have ${found}; remove it` }];
  return [
    ...unlikeDenseLayers(known.model, written),
    ...FIXED.flatMap((key) => unlike(["model", key], written[key], known.model[key])),
    ...(isMapping(moe) ? unlike(["moe", "experts"], moe.experts, known.moe.experts) : []),
  ];
}

/** The same layers may be a number in one place and a list in the other. */
function unlikeDenseLayers(known: Model, written: Partial<Model>): Problem[] {
  if (written.denseLayers === undefined) return [];
  const [wanted, found] = [written, known].map((model) => denseLayersOf(model).join(", "));
  if (wanted === found) return [];
  const message = `dense layers ${wanted || "none"}, but model.weights have ${found || "none"}; remove it`;
  return [{ path: ["model", "denseLayers"], message }];
}

/** The inverse of `compileModel`. */
function knownModel({ model, moe }: EngineJob): KnownModel {
  if (model === undefined || moe === undefined)
    throw new DamageError("its manifest lacks the model");
  const isDropless = moe.capacityFactor === 0;
  return {
    model: {
      layers: model.numLayers,
      hiddenSize: model.hiddenSize,
      heads: model.numHeads,
      kvHeads: model.numKvHeads,
      headDim: model.headDim,
      ffnHiddenSize: model.ffnHiddenSize,
      vocabSize: model.vocabSize,
      ropeTheta: model.ropeTheta,
      rmsNormEps: model.rmsNormEpsilon,
      tiedEmbeddings: model.tiedEmbeddings,
      routerBias: !moe.gateWithoutBias,
      denseLayers: model.denseLayers,
      ...(model.denseFfnHiddenSize > 0 ? { denseFfnHiddenSize: model.denseFfnHiddenSize } : {}),
      sharedFfnHiddenSize: model.sharedFfnHiddenSize,
      sharedExpertGate: model.sharedExpertGate,
    },
    moe: {
      experts: moe.numExperts,
      topK: moe.topK,
      capacityFactor: isDropless ? "dropless" : moe.capacityFactor,
      gateNormalization: moe.gateNormalization,
      auxLoss: moe.auxLossForm === AuxLossForm.SWITCH ? "switch" : "skywork",
      gateFunction: moe.gateFunction === GateFunction.SIGMOID ? "sigmoid" : "softmax",
      renormalize: !moe.withoutRenormalization,
      dropPolicy: moe.dropPolicy === DropPolicy.POSITION ? "position" : "probs",
      padding: !moe.withoutPadding,
      zLoss: moe.zLossCoefficient,
      ...(moe.selectionBias ? { balancing: "bias" as const } : {}),
      // Nothing dropped is no drop rate to adapt to.
      ...(isDropless && !moe.selectionBias ? { balancing: "fixed" as const } : {}),
    },
  };
}

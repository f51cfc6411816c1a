import type { ExpertsShape, ModelShape } from "../../model/model-shape.ts";
import type { Placement, Workload } from "../workload.ts";
import { exchangeMs, ringMs } from "./exchange.ts";
import { addFeedForward, addPasses, addProduct, addTensorParallel } from "./layer-work.ts";
import type { PartWork } from "./part-work.ts";
import type { Rates } from "./rates.ts";

/** Slots computed over the tokens' even share: the capacity factor, or the busiest rank. */
function slots({ capacityFactor, imbalance }: Workload): number {
  return capacityFactor === "dropless" ? imbalance : capacityFactor;
}

/**
 * A mixture-of-experts block: router, dispatch over EP (and ETP), grouped
 * products, combine, and the shared expert over TP.
 */
export function addExperts(
  work: PartWork,
  rates: Rates,
  workload: Workload,
  placement: Placement,
  model: ModelShape,
  moe: ExpertsShape,
): void {
  const { expertParallel: ep, expertTensorParallel: etp, tensorParallel: tp } = placement;
  const { hiddenSize: h } = model;
  const { machine, width } = rates;
  const own = rates.tokens / tp;
  addProduct(work, rates, own, h, moe.experts);
  work.forward += machine.routerMs;
  work.backward += machine.routerMs;
  const copies = own * moe.topK * slots(workload);
  addPasses(work, rates, machine.permutePasses * width * copies * h, false);
  const wire = own * copiesOnWire(rates, placement, moe, slots(workload)) * h * width;
  const dispatch = 2 * exchangeMs(rates, ep, etp, wire);
  const isInNode = ep * etp <= rates.gpusPerDomain;
  // Split experts have to gather behind the exchange, which then hides behind nothing.
  const isHidden = !isInNode && etp === 1;
  const exposed = dispatch * (isHidden ? rates.stack.exposedAllToAll : 1);
  const gather = 2 * ringMs(rates, etp, 1, etp * copies * h * width);
  work.forward += exposed + gather;
  work.backward += exposed + gather;
  work.forwardCommunication += exposed + gather;
  work.backwardCommunication += exposed + gather;
  const hostMs = 2 * ((ep > 1 ? ep : 0) + (etp > 1 ? etp : 0)) * rates.collectiveRankMs;
  work.forwardCollectiveHost += hostMs;
  work.backwardCollectiveHost += hostMs;

  const f = moe.ffn.hiddenSize / etp;
  const local = moe.experts / ep;
  const rows = (copies * etp) / local;
  addProduct(work, rates, rows, h, moe.ffn.gated ? 2 * f : f, Math.max(1, local));
  addProduct(work, rates, rows, f, h, Math.max(1, local));
  addPasses(work, rates, rates.stack.activationPasses * width * rows * local * f, true);
  if (moe.sharedFfnHiddenSize > 0) {
    addTensorParallel(work, rates, placement, h);
    addFeedForward(work, rates, placement, h, moe.sharedFfnHiddenSize, moe.ffn.gated);
  }
}

/**
 * Copies of a token that cross the wire. Dispatchers for whole, fine-grained experts
 * (DeepEP) send one copy to a node, which spreads it: of k uniform choices over
 * g nodes, g·(1 − (1 − 1/g)^k) nodes are met.
 */
function copiesOnWire(
  rates: Rates,
  { expertParallel, expertTensorParallel }: Placement,
  { topK }: ExpertsShape,
  share: number,
): number {
  const nodes = (expertParallel * expertTensorParallel) / rates.gpusPerDomain;
  if (!rates.stack.oneCopyPerNode || nodes <= 1 || expertTensorParallel > 1) return topK * share;
  return Math.min(topK, nodes * (1 - (1 - 1 / nodes) ** topK)) * share;
}

/** Running sums of one part's time on one rank, in ms; added to in place, for speed. */
export interface PartWork {
  forward: number;
  backward: number;
  weightGrad: number;
  /** Of forward, what selective recompute repeats: norms and activation functions. */
  cheap: number;
  forwardCommunication: number;
  backwardCommunication: number;
  /** What the host spends on collectives, while the GPU works. */
  forwardCollectiveHost: number;
  backwardCollectiveHost: number;
}

export function noWork(): PartWork {
  return {
    forward: 0,
    backward: 0,
    weightGrad: 0,
    cheap: 0,
    forwardCommunication: 0,
    backwardCommunication: 0,
    forwardCollectiveHost: 0,
    backwardCollectiveHost: 0,
  };
}

const MAX_DOUBLINGS = 3;

/**
 * The least number found to be enough, by doubling from `first` and halving the
 * distance to the largest found too small; `tooFew` is known to be.
 */
export function leastEnough(
  tooFew: number,
  first: number,
  most: number,
  maxBisections: number,
  isEnough: (count: number) => boolean,
): number | undefined {
  let low = tooFew;
  let high = first;
  for (let doublings = 0; !isEnough(high); doublings++) {
    if (doublings === MAX_DOUBLINGS || high >= most) return undefined;
    low = high;
    high = Math.min(2 * high, most);
  }
  for (let steps = 0; steps < maxBisections && high - low > 1; steps++) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

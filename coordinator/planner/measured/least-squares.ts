/**
 * Solves the normal equations of a damped Gauss-Newton step: symmetric,
 * positive, by Cholesky. `a` is row-major and overwritten.
 */
function solveSymmetric(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[i * n + k] as number) * (a[j * n + k] as number);
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-18)) : sum / (a[j * n + j] as number);
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++)
      x[i] = (x[i] as number) - (a[i * n + k] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      x[i] = (x[i] as number) - (a[k * n + i] as number) * (x[k] as number);
    }
    x[i] = (x[i] as number) / (a[i * n + i] as number);
  }
  return x;
}

/** A residual beyond this counts by its size, not its square: rows may be wrong. */
const ROBUST = 0.12;

export interface Fit {
  parameters: Float64Array;
  loss: number;
}

export interface FitOptions {
  /** Deviation of the pull to the start, of each parameter. */
  spread: Float64Array;
  rounds: number;
  /** The largest value of each parameter. */
  most?: Float64Array | undefined;
}

/**
 * Levenberg-Marquardt on weighted residuals with Huber's loss, numeric
 * derivatives, and a pull of each parameter to its start.
 */
export function fitRobust(
  start: Float64Array,
  residuals: (parameters: Float64Array) => Float64Array,
  weights: Float64Array,
  { spread, rounds, most }: FitOptions,
): Fit {
  const n = start.length;
  const lossOf = (r: Float64Array, x: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < r.length; i++) {
      const size = Math.abs(r[i] as number);
      const cost = size <= ROBUST ? size * size : ROBUST * (2 * size - ROBUST);
      sum += (weights[i] as number) * cost;
    }
    for (let j = 0; j < n; j++)
      sum += (((x[j] as number) - (start[j] as number)) / (spread[j] as number)) ** 2;
    return sum;
  };
  let x = Float64Array.from(start);
  let r = residuals(x);
  let loss = lossOf(r, x);
  let damping = 1e-2;
  for (let round = 0; round < rounds; round++) {
    const columns = Array.from({ length: n }, (_, j) => {
      const moved = Float64Array.from(x);
      // Downwards, so that a parameter at its limit still shows its slope.
      moved[j] = (moved[j] as number) - 1e-4;
      return residuals(moved).map((value, i) => ((r[i] as number) - value) / 1e-4);
    });
    const share = r.map((value, i) => {
      const size = Math.abs(value);
      return (weights[i] as number) * (size <= ROBUST ? 1 : ROBUST / size);
    });
    const hessian = new Float64Array(n * n);
    const downhill = new Float64Array(n);
    for (let a = 0; a < n; a++) {
      const ca = columns[a] as Float64Array;
      for (let b = a; b < n; b++) {
        const cb = columns[b] as Float64Array;
        let sum = 0;
        for (let i = 0; i < r.length; i++) {
          sum += (share[i] as number) * (ca[i] as number) * (cb[i] as number);
        }
        hessian[a * n + b] = sum;
        hessian[b * n + a] = sum;
      }
      let sum = 0;
      for (let i = 0; i < r.length; i++) {
        sum += (share[i] as number) * (ca[i] as number) * (r[i] as number);
      }
      downhill[a] = -sum - ((x[a] as number) - (start[a] as number)) / (spread[a] as number) ** 2;
      hessian[a * n + a] = (hessian[a * n + a] as number) + 1 / (spread[a] as number) ** 2;
    }
    let isBetter = false;
    for (let attempt = 0; attempt < 6 && !isBetter; attempt++) {
      const damped = Float64Array.from(hessian);
      for (let a = 0; a < n; a++) damped[a * n + a] = (damped[a * n + a] as number) * (1 + damping);
      const step = solveSymmetric(damped, downhill);
      const next = x.map((value, j) =>
        Math.min(most?.[j] ?? Infinity, value + Math.max(-0.7, Math.min(0.7, step[j] as number))),
      );
      const nextR = residuals(next);
      const nextLoss = lossOf(nextR, next);
      isBetter = nextLoss < loss;
      damping = isBetter ? Math.max(1e-5, damping / 3) : damping * 5;
      if (!isBetter) continue;
      const gain = (loss - nextLoss) / loss;
      x = next;
      r = nextR;
      loss = nextLoss;
      if (gain < 1e-4) return { parameters: x, loss };
    }
    if (!isBetter) break;
  }
  return { parameters: x, loss };
}

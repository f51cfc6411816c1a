import type { Curve } from "./curve.ts";
import type { ArmResult, Results } from "./summarize.ts";
import { type Chart, svgChart } from "./svg-chart.ts";

export type Figure = { id: string; title: string; lead: string; svg: string };

/** Three digits, without zeros at the end. */
const short = (value: number) => String(Number(value.toPrecision(3)));

/** The first steps' losses would flatten all that comes after. */
const LOSS_FROM_SHARE = 0.15;

type Kind = Pick<Chart, "format" | "vertical" | "scaledFromStep"> & {
  id: string;
  title: string;
  lead: string;
  curve: (arm: ArmResult) => Curve;
};

function kinds(steps: number): Kind[] {
  return [
    {
      id: "drop-rate",
      title: "Drop rate",
      lead: "Assignments over an expert's capacity over all assignments, mean over layers.",
      format: (value) => `${short(value * 100)} %`,
      vertical: "from-zero",
      curve: ({ curves }) => curves.dropRate,
    },
    {
      id: "loss",
      title: "Training loss, nats a token",
      lead: "Cross entropy of the training batches, without the auxiliary loss; the first steps are above the figure.",
      format: short,
      vertical: "fitted",
      scaledFromStep: LOSS_FROM_SHARE * steps,
      curve: ({ curves }) => curves.loss,
    },
    {
      id: "coefficient",
      title: "Coefficient α of the auxiliary loss",
      lead: "Mean over layers, on a logarithmic scale.",
      format: short,
      vertical: "logarithmic",
      curve: ({ curves }) => curves.coefficient,
    },
    {
      id: "similarity",
      title: "Expert similarity",
      lead: "Mean cosine between pairs of a layer's experts, mean over layers.",
      format: short,
      vertical: "fitted",
      curve: ({ curves }) => curves.similarity,
    },
  ];
}

/** Each figure over steps: one panel a gate, one line a balancing, a band from the least seed to the most. */
export function figuresOf({ arms, steps, seeds }: Results): Figure[] {
  const balancings = [...new Set(arms.map(({ arm }) => arm.balancing.id))];
  return kinds(steps).map(({ id, title, lead, curve, ...how }) => {
    const panels = [true, false].map((normalized) => ({
      title: normalized ? "gate normalisation λ = 1" : "gate normalisation off",
      lines: arms
        .filter(({ arm }) => arm.normalized === normalized)
        .map((one) => ({
          name: one.arm.balancing.name,
          style: balancings.indexOf(one.arm.balancing.id),
          curve: curve(one),
        })),
    }));
    const summary = `${title} over ${steps} steps, mean and range of ${seeds.length} seeds, with gate normalisation (left) and without (right); at the end ${ends(arms, curve, how.format)}.`;
    return {
      id,
      title,
      lead,
      svg: svgChart({ id, title, summary, panels, lastStep: steps, ...how }).text,
    };
  });
}

function ends(
  arms: readonly ArmResult[],
  curve: (arm: ArmResult) => Curve,
  format: (value: number) => string,
): string {
  return arms
    .map((one) => {
      const gate = one.arm.normalized ? "normalised" : "plain";
      return `${gate} with ${one.arm.balancing.name} ${format(curve(one).mean.at(-1) ?? Number.NaN)}`;
    })
    .join(", ");
}

import { formatFixed, formatPercent, formatSmall } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import type { MetricsRecord } from "../records.ts";
import { card, nothing } from "./card.ts";

type Chart = { id: string; title: string; lead: string; summary: string; wide?: boolean };

/** The places for what is drawn over steps; the page's scripts draw into them. */
export function charts(run: RunFiles): Html {
  const { metrics } = run;
  const [first, last] = [metrics[0], metrics.at(-1)];
  if (first === undefined || last === undefined) {
    return card({
      id: "no-steps",
      title: "Training",
      wide: true,
      body: nothing(
        "No optimizer step was completed, so there is nothing to draw over steps. " +
          "The events below say how far the run came.",
      ),
    });
  }
  return html`${list(metrics, first, last).map((chart) =>
    card({
      id: chart.id,
      title: chart.title,
      lead: chart.lead,
      wide: chart.wide ?? false,
      body: html`<figure class="chart" data-chart="${chart.id}" tabindex="0" role="img" aria-label="${chart.summary}"></figure>`,
    }),
  )}${loadCard(last, run.stepsPerRecord)}`;
}

function list(
  metrics: readonly MetricsRecord[],
  first: MetricsRecord,
  last: MetricsRecord,
): Chart[] {
  const over = `over steps ${first.step} to ${last.step}`;
  const fromTo = (figure: (record: MetricsRecord) => number, digits: number) =>
    `from ${formatFixed(figure(first), digits)} to ${formatFixed(figure(last), digits)}`;
  const drops = last.layers.map((layer) => layer.dropRate);
  const alphas = last.layers.map((layer) => layer.auxCoeff);
  return [
    {
      id: "loss",
      title: "Loss",
      wide: true,
      lead: "Cross entropy in nats a token: every training step, and the validation set where it was measured.",
      summary: `Line chart of the loss ${over}: ${fromTo((record) => record.loss, 3)}.`,
    },
    {
      id: "drop-rate",
      title: "Drop rate per layer",
      lead: "Share of assignments over an expert's capacity, which that layer did not compute.",
      summary: `Line chart of each layer's drop rate ${over}; at the end between ${formatPercent(Math.min(...drops))} and ${formatPercent(Math.max(...drops))}.`,
    },
    {
      id: "aux-coefficient",
      title: "Balancing coefficient α per layer",
      lead: "Weight of the auxiliary loss, as the controller set it from the layer's drop rate.",
      summary: `Line chart of each layer's coefficient ${over}; at the end between ${formatSmall(Math.min(...alphas))} and ${formatSmall(Math.max(...alphas))}.`,
    },
    {
      id: "throughput",
      title: "Throughput",
      lead: "Tokens a second over all ranks.",
      summary: `Line chart of tokens a second ${over}: ${fromTo((record) => record.tokensPerSecond, 0)}.`,
    },
    {
      id: "gradient-norm",
      title: "Gradient norm",
      lead: "Global L2 norm before clipping.",
      summary: `Line chart of the gradient norm ${over}: ${fromTo((record) => record.gradNorm, 3)}.`,
    },
    ...similarityChart(metrics, over),
  ];
}

/** Where the run measured it: with fewer than two experts it did not. */
function similarityChart(metrics: readonly MetricsRecord[], over: string): Chart[] {
  const measured = metrics.map(({ layers }) =>
    layers.flatMap(({ expertSimilarity }) => expertSimilarity ?? []),
  );
  const last = measured.findLast((values) => values.length > 0);
  if (last === undefined) return [];
  return [
    {
      id: "expert-similarity",
      title: "Expert similarity per layer",
      wide: true,
      lead: "Mean cosine between pairs of a layer's experts: 1 for copies, as an upcycled model starts; near 0 for experts drawn at random. Lower is better.",
      summary: `Line chart of each layer's expert similarity ${over}; at the end between ${formatSmall(Math.min(...last))} and ${formatSmall(Math.max(...last))}.`,
    },
  ];
}

function loadCard(last: MetricsRecord, stepsPerRecord: number): Html | undefined {
  const numExperts = last.layers[0]?.expertLoad.length ?? 0;
  if (numExperts === 0) return undefined;
  const thinned =
    stepsPerRecord > 1 ? ` A column is a mean of ${stepsPerRecord} steps or more.` : "";
  return card({
    id: "load",
    title: "Expert load",
    wide: true,
    lead: `Assignments routed to each of ${numExperts} experts (rows) over steps, against an even share. Grey is balanced.${thinned}`,
    body: html`<div data-load></div>`,
  });
}

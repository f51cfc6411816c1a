/** The most even split by number of layers; earlier stages take the remainder. */
export function evenSplit(numLayers: number, numStages: number): number[] {
  const base = Math.floor(numLayers / numStages);
  const extra = numLayers % numStages;
  return Array.from({ length: numStages }, (_, stage) => base + (stage < extra ? 1 : 0));
}

/** `[5,5,4]`, or for many stages `[5 (20 stages), 4 (12 stages)]`. */
export function formatSplit(layersPerStage: readonly number[]): string {
  if (layersPerStage.length <= 16) return `[${layersPerStage}]`;
  const runs: { layers: number; stages: number }[] = [];
  for (const layers of layersPerStage) {
    const last = runs.at(-1);
    if (last?.layers === layers) last.stages++;
    else runs.push({ layers, stages: 1 });
  }
  return `[${runs.map(({ layers, stages }) => `${layers} (${stages} ${stages === 1 ? "stage" : "stages"})`).join(", ")}]`;
}

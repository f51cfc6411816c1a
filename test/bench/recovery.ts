// From a killed rank to the next step, beside torchrun and Ray Train: the same model and
// ranks, in turn, in workplaces of their own; and how soon other faults are noticed.
//
//   npm run bench:recovery -- [--rounds 5] [--systems moestro,train,torchrun,ray]
//                             [--detections nodes,hang,failover] [--loop bare]
//
// `--loop bare` has torchrun and Ray run an empty loop with one all-reduce a step: what is
// left is the time that is their own, for comparison with figures that others measured so.
import { parseArgs } from "node:util";
import { Workplace } from "../e2e/moestro.ts";
import { NodeNetworks } from "../faults/node-networks.ts";
import { type Bound, boundLine, bounds } from "./recovery/bounds.ts";
import { closing } from "./recovery/clean-up.ts";
import { failover, hang, nodeLoss } from "./recovery/detections.ts";
import { moestro, moestroTrain } from "./recovery/moestro.ts";
import { ray } from "./recovery/ray.ts";
import { rayPython } from "./recovery/ray-python.ts";
import { NUM_RANKS, type System, type Times } from "./recovery/setting.ts";
import { stagesTable, timesTable } from "./recovery/tables.ts";
import { torchrun } from "./recovery/torchrun.ts";

/** Of a system's first word of a fault, for whoever doubts what it was. */
const MAX_WORD = 160;
const SETTLE_MS = 20_000;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    systems: { type: "string", default: "moestro,train,torchrun,ray" },
    detections: { type: "string", default: "nodes,hang,failover" },
    loop: { type: "string", default: "training" },
  },
});
const isBare = values.loop === "bare";
const rankModule = isBare ? "bare_loop" : "train_rank";
const wanted = values.systems.split(",");
const systems = chooseSystems();
const measured = new Map<string, Map<number, Times>>();
for (const { rows } of systems) for (const { name } of rows) measured.set(name, new Map());

console.log(
  isBare
    ? `${NUM_RANKS} ranks over gloo run a loop with one all-reduce a step; one is killed:`
    : `${NUM_RANKS} ranks over gloo train the fault tests' model, with DP, EDP, PP and checkpoints; one is killed:`,
);
for (const { rows } of systems) {
  for (const { name, what } of rows) console.log(`  ${name}: ${what}`);
}
for (let round = 0; round < Number(values.rounds); round += 1) {
  // The order goes round, so that a machine's mood favours none.
  const first = round % Math.max(1, systems.length);
  for (const system of [...systems.slice(first), ...systems.slice(0, first)]) {
    await measure(system, round);
  }
}
if (Number(values.rounds) > 0) console.log(`\n${timesTable(measured).join("\n")}`);
const stages = stagesTable(measured);
if (stages.length > 0) console.log(`\nmoestro's stages, by itself:\n${stages.join("\n")}`);
if (!isBare) {
  const detections = await detect();
  console.log("\nwhat is asked of moestro:");
  for (const bound of [...bounds(measured), ...detections]) console.log(`  ${boundLine(bound)}`);
}

function chooseSystems(): System[] {
  const systems: System[] = [];
  if (!isBare && wanted.includes("moestro")) systems.push(moestro);
  if (!isBare && wanted.includes("train")) systems.push(moestroTrain);
  if (wanted.includes("torchrun")) systems.push(torchrun(rankModule));
  if (wanted.includes("ray")) {
    const python = rayPython();
    if (typeof python === "string") console.log(`Ray Train is left out: ${python}`);
    else systems.push(ray(python, rankModule));
  }
  return systems;
}

async function measure(system: System, round: number): Promise<void> {
  const names = system.rows.map(({ name }) => name);
  try {
    const rank = (2 * round + 3) % NUM_RANKS;
    const times = await inWorkplace((place) => system.round(place, rank));
    for (const [row, name] of names.entries()) {
      measured.get(name)?.set(round, times[row] ?? {});
      console.log(`round ${round + 1}: ${name}: ${inWords(times[row] ?? {})}`);
    }
  } catch (error) {
    console.log(`round ${round + 1}: ${names[0]}: left out: ${(error as Error).message}`);
  }
}

function inWords({ start, detect, word, recover }: Times): string {
  const part = (what: string, ms: number | undefined) =>
    ms === undefined ? [] : [`${what} ${(ms / 1000).toFixed(2)} s`];
  const said = word === undefined ? "" : ` ("${word.trim().slice(0, MAX_WORD)}")`;
  return [
    ...part("first step after", start),
    ...part("word of the kill after", detect).map((text) => text + said),
    ...part("new step of all after", recover),
  ].join(", ");
}

async function detect(): Promise<Bound[]> {
  const ways = { nodes: nodeLoss, hang, failover };
  const found: Bound[] = [];
  for (const [name, way] of Object.entries(ways)) {
    if (!values.detections.split(",").includes(name)) continue;
    const whyNot = name === "nodes" ? NodeNetworks.whyNot() : undefined;
    try {
      if (whyNot === undefined) found.push(await inWorkplace(way));
      else console.log(`${name}: left out: ${whyNot}`);
    } catch (error) {
      console.log(`${name}: left out: ${(error as Error).message}`);
    }
  }
  return found;
}

/** A folder that nothing is left of, and no process. */
async function inWorkplace<Result>(body: (place: Workplace) => Promise<Result>): Promise<Result> {
  const place = new Workplace();
  // What runs in this process keeps its data where the ranks do.
  process.env.MOESTRO_HOME = place.home;
  return closing(
    () => place.remove(),
    async () => {
      const result = await body(place);
      // What Ray has ended takes a moment; what stays is killed with the folder.
      await place.nothingLeft(SETTLE_MS).catch(() => {});
      return result;
    },
  );
}

/** What a process of agents is started with. */
export type HostOptions = {
  /** The state directory whose authority certifies the agents. */
  home: string;
  coordinator: string;
  /** Numbers of its agents, from `first` up. */
  first: number;
  count: number;
  /** Between two steps of a rank. */
  stepMs: number;
};

export type ToHost =
  /** A rank's process dies. */
  { kind: "kill"; rank: number } | { kind: "end" };

/** Times are of the wall clock, which all processes of one machine share. */
export type FromHost =
  /** All agents of this process have begun to connect. */
  | { kind: "started" }
  /** All its ranks of a generation stand. */
  | { kind: "stand"; generation: number; atMs: number }
  /** All its ranks of a generation have ended. */
  | { kind: "ended"; generation: number; atMs: number }
  /** All its agents have handed over their report of a step. */
  | { kind: "reported"; generation: number; step: number; atMs: number }
  /** Rank 0 was told coefficients. */
  | { kind: "coefficients"; generation: number; effectiveStep: number; atMs: number };

export function agentName(index: number): string {
  return `node-${String(index).padStart(4, "0")}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { ELECTION_OPTIONS, LeaderElection } from "./cluster/leader-election.ts";
import { whyOf } from "./cluster/why-of.ts";
import { OperatorTerm, type TermOptions } from "./operator-term.ts";

/** For letting go of the lease. */
const CLOSE_MS = 3000;

export interface OperatorOptions extends TermOptions {
  /** Of this process, and no other. */
  self: string;
}

/** For metrics. */
export interface OperatorState {
  leads: boolean;
  /** Since the API server last said something on the watch that is silent longest. */
  watchAgeSeconds: number;
}

/** Carries out the MoETrainingJobs of a namespace while it holds the Lease. */
export class Operator {
  private readonly election: LeaderElection;
  private readonly elected: Promise<void>;
  private term: OperatorTerm | undefined;

  constructor(options: OperatorOptions) {
    const { config, namespace, self, log } = options;
    this.election = new LeaderElection(
      config,
      { ...ELECTION_OPTIONS, namespace, self },
      (isLeader) => {
        log.info(isLeader ? "carries out MoETrainingJobs" : "another carries out MoETrainingJobs");
        this.term?.close();
        this.term = isLeader ? new OperatorTerm(options, () => this.election.isLeader) : undefined;
      },
      (error) => log.warn(`the operator's lease: ${whyOf(error)}`),
    );
    this.elected = this.election.run();
  }

  get state(): OperatorState {
    const { term } = this;
    return { leads: term !== undefined, watchAgeSeconds: (term?.watchAgeMs ?? 0) / 1000 };
  }

  /** Runs and pods go on: another operator, or this one started again, takes them over. */
  async close(): Promise<void> {
    const { term } = this;
    this.election.close();
    term?.close();
    // An API server that does not answer must not hold up the coordinator's own end.
    const patience = sleep(CLOSE_MS, undefined, { ref: false });
    await Promise.race([Promise.all([this.elected, term?.done]), patience]);
  }
}

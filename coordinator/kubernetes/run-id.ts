/** Of a job that is in no cluster. */
export const NO_UID = "00000000-0000-0000-0000-000000000000";
const UID_SUFFIX_LENGTH = `-${NO_UID}`.length;

/** The run of this very MoETrainingJob: one of its name that comes later has another. */
export function runIdOf({ name, uid }: { name: string; uid: string }): string {
  return `${name}-${uid}`;
}

/** The name of the job that a run is of; a UID has hyphens, but always as many characters. */
export function jobOfRun(runId: string): string {
  return runId.slice(0, -UID_SUFFIX_LENGTH);
}

/** What a MoETrainingJob is called in Kubernetes' API. */
export const API_GROUP = "moestro.dev";
export const API_VERSION = `${API_GROUP}/v1alpha1`;
export const KIND = "MoETrainingJob";
export const PLURAL = "moetrainingjobs";

/** Of a Kubernetes label value, and of a host name, which an agent's pod has. */
const MAX_LABEL_LENGTH = 63;
/** Nodes of one job, and ranks of one node. */
export const MAX_NODES = 10_000;
export const MAX_RANKS_PER_NODE = 1024;
/** The longest that is added to a job's name: the last pod of a JobSet, without its own suffix. */
const LONGEST_SUFFIX = `-agents-0-${MAX_NODES - 1}-xxxxx`;

export const MAX_NAME_LENGTH = MAX_LABEL_LENGTH - LONGEST_SUFFIX.length;
/** Services have names that begin with a letter. */
export const NAME_PATTERN = `^[a-z]([a-z0-9-]{0,${MAX_NAME_LENGTH - 2}}[a-z0-9])?$`;

export const NAME_RULE = `begins with a lower-case letter, then lower-case letters, digits and inner hyphens, at most ${MAX_NAME_LENGTH} in all`;

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
export const NAMESPACE_RULE = "use lower-case letters, digits and inner hyphens, at most 63";

export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

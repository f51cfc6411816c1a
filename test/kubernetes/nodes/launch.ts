import { existsSync, mkdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Tokens } from "../access/tokens.ts";
import type { Cluster } from "../cluster.ts";
import { type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import { type Running, startContainer } from "./container.ts";
import { environmentOf, expand } from "./pod-environment.ts";
import { MissingSource, writeVolumes } from "./pod-files.ts";

/** What runs for an image. */
export type Image = {
  /** Comes before the container's command, such as the path of an interpreter. */
  prefix?: readonly string[];
  /** What a container without a command runs. */
  entrypoint?: readonly string[];
  environment?: { [name: string]: string };
};

export type WorkerOptions = {
  cluster: Cluster;
  tokens: Tokens;
  /** The image, or undefined where it cannot be pulled. */
  imageOf(image: string): Image | undefined;
  /** Changes what a container is given, such as names that no DNS knows. */
  rewrite(text: string, pod: KubeObject): string;
  directory: string;
  podIP: string;
  /** Variables by which every container finds the API server. */
  service: { [name: string]: string };
};

/** Starts a container, or says as the kubelet does why it cannot be started now. */
export function launch(
  given: KubeObject,
  container: JsonObject,
  options: WorkerOptions,
): Running | { reason: string; message: string } {
  const { cluster, imageOf, rewrite, directory } = options;
  const pod = { ...given, status: { ...given.status, podIP: options.podIP } };
  const name = textAt(container, "image");
  const image = imageOf(name);
  if (!image) {
    const message = `Back-off pulling image "${name}": ErrImagePull: pull access denied, repository does not exist`;
    return { reason: "ImagePullBackOff", message };
  }
  try {
    const folders = writeVolumes(pod, directory, options);
    const given = environmentOf(pod, container, cluster);
    const environment = { ...options.service, ...image.environment, ...given };
    const mounts = mountsOf(container, folders);
    const mounted = (text: string): string => rewrite(inFolders(text, mounts), pod);
    const command = wordsOf(container, "command");
    const words = [...command, ...wordsOf(container, "args")];
    const argv = words.map((word) => mounted(expand(word, environment)));
    const variables = Object.entries(given).map(([key, value]) => [key, mounted(value)]);
    // The image's own paths are this machine's, wherever a checkout lies: also below /tmp.
    const own = [...(image.prefix ?? []), ...(command.length > 0 ? [] : (image.entrypoint ?? []))];
    return startContainer([...own, ...argv], {
      environment: { ...environment, ...Object.fromEntries(variables) },
      workingDirectory: directory,
      logFile: join(directory, `${textAt(container, "name")}.log`),
    });
  } catch (error) {
    if (!(error instanceof MissingSource)) throw error;
    return { reason: "CreateContainerConfigError", message: error.message };
  }
}

function wordsOf(container: JsonObject, field: string): string[] {
  const words = container[field];
  return Array.isArray(words) ? words.map(String) : [];
}

/** The folder behind each mount's path; a `subPath` that is not there is made, as by the kubelet. */
function mountsOf(container: JsonObject, folders: Map<string, string>): Map<string, string> {
  return new Map(
    objectsAt(container, "volumeMounts").map((mount) => {
      const subPath = textAt(mount, "subPath");
      if (isAbsolute(subPath)) {
        throw new MissingSource(`error SubPath \`${subPath}\` must not be an absolute path`);
      }
      if (subPath.split("/").includes("..")) {
        throw new MissingSource(
          `unable to provision SubPath \`${subPath}\`: must not contain '..'`,
        );
      }
      const volume = folders.get(textAt(mount, "name"));
      const place = volume === undefined ? "" : join(volume, subPath);
      if (place !== "" && !existsSync(place)) mkdirSync(place, { recursive: true });
      return [textAt(mount, "mountPath").replace(/\/$/, ""), place];
    }),
  );
}

/** There is no root of its own: a path where a volume is mounted becomes its folder's. */
function inFolders(text: string, mounts: Map<string, string>): string {
  // All in one pass: a folder may have another mount's path in its own.
  const paths = [...mounts.keys()].sort((a, b) => b.length - a.length).map(escaped);
  if (paths.length === 0) return text;
  const pattern = new RegExp(`(?<![\\w.-])(${paths.join("|")})(?![\\w.-])`, "g");
  return text.replace(pattern, (path) => mounts.get(path) ?? path);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

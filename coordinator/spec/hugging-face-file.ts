import { MoestroError } from "../errors.ts";
import { UnsupportedConfigError } from "./hugging-face-fields.ts";
import { readTextFile } from "./read-text.ts";

/**
 * What `interpret` makes of a config.json.
 *
 * @throws MoestroError `invalid_input`, one line that begins with `shownName`, if the
 *   file cannot be read or `interpret` throws an UnsupportedConfigError
 */
export async function readConfigFile<Meaning>(
  path: string,
  shownName: string,
  interpret: (config: unknown) => Meaning,
): Promise<Meaning> {
  const text = await readTextFile(path, shownName);
  try {
    return interpret(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const what = error.message.split("\n")[0];
      throw new MoestroError(
        "invalid_input",
        `${shownName}: is not valid JSON (${what}); correct it`,
      );
    }
    if (!(error instanceof UnsupportedConfigError)) throw error;
    throw new MoestroError("invalid_input", `${shownName}: ${error.message}`);
  }
}

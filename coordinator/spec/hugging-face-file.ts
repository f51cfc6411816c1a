import { MoestroError } from "../errors.ts";
import { UnsupportedConfigError } from "./hugging-face-fields.ts";
import { readNamedFile } from "./read-text.ts";

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
  const text = await readNamedFile(path, shownName);
  try {
    return interpret(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) {
      // The rest of what it says may show the file to whoever only named it.
      const [place = ""] = error.message.match(/ ?\(line \d+ column \d+\)/) ?? [];
      throw new MoestroError(
        "invalid_input",
        `${shownName}: is not valid JSON${place}; correct it`,
      );
    }
    if (!(error instanceof UnsupportedConfigError)) throw error;
    throw new MoestroError("invalid_input", `${shownName}: ${error.message}`);
  }
}

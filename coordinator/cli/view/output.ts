/**
 * A stream that may go away: a pipe's reader that ends must not end training.
 * After its first error nothing more is written.
 */
export class Output {
  readonly #stream: NodeJS.WriteStream;
  readonly #onError = () => {
    this.#broken = true;
  };
  #broken = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // Left on for good: errors of earlier writes may come after the last one.
    stream.on("error", this.#onError);
  }

  /** Whether the reader is so far behind that drawing can wait. */
  get isBehind(): boolean {
    return this.#broken || this.#stream.writableNeedDrain;
  }

  write(text: string): void {
    if (!this.#broken) this.#stream.write(text);
  }
}

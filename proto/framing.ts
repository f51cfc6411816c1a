import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** Larger than any message of this protocol; a longer frame is garbage. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

const LENGTH_BYTES = 4;

/** A message as it goes over an agent's Unix socket: big-endian length, then bytes. */
export function encodeFrame<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): Buffer {
  const body = toBinary(schema, message);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/**
 * Cuts a byte stream into messages. Throws on a frame longer than
 * MAX_FRAME_BYTES and on bytes that are not a message.
 */
export class FrameDecoder<Desc extends DescMessage> {
  readonly #schema: Desc;
  #pending: Buffer = Buffer.alloc(0);

  constructor(schema: Desc) {
    this.#schema = schema;
  }

  push(chunk: Buffer): MessageShape<Desc>[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const messages: MessageShape<Desc>[] = [];
    while (this.#pending.length >= LENGTH_BYTES) {
      const length = this.#pending.readUInt32BE(0);
      if (length > MAX_FRAME_BYTES) {
        throw new Error(`a frame of ${length} bytes is over the limit of ${MAX_FRAME_BYTES}`);
      }
      const end = LENGTH_BYTES + length;
      if (this.#pending.length < end) break;
      messages.push(fromBinary(this.#schema, this.#pending.subarray(LENGTH_BYTES, end)));
      this.#pending = this.#pending.subarray(end);
    }
    return messages;
  }
}

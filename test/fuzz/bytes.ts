import type { Random } from "../faults/random.ts";

export function randomBytes(random: Random, most: number): Buffer {
  const bytes = Buffer.alloc(random.whole(0, most));
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = random.whole(0, 255);
  return bytes;
}

/** Changes some bytes, cuts the end off, repeats a part, or puts others in between. */
export function mutated(bytes: Uint8Array, random: Random): Buffer {
  const changed = Buffer.from(bytes);
  const at = () => random.whole(0, Math.max(0, changed.length - 1));
  switch (random.whole(0, 4)) {
    case 0:
      for (let left = random.whole(1, 8); left > 0 && changed.length > 0; left -= 1) {
        changed[at()] = random.whole(0, 255);
      }
      return changed;
    case 1:
      return changed.subarray(0, at());
    case 2: {
      const [start, end] = [at(), at()];
      const part = changed.subarray(Math.min(start, end), Math.max(start, end));
      return Buffer.concat([changed, part, part]);
    }
    case 3:
      return Buffer.concat([changed.subarray(0, at()), randomBytes(random, 64), changed]);
    default:
      return randomBytes(random, 256);
  }
}

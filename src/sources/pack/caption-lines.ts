// Captions in a file of lines, each a JSON string or a list of several: in memory is where each line starts.
import { type FilePool } from '../../host/file-pool.ts';
import { withFile } from '../../host/read-file.ts';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import { decodeText } from '../../tensor/text.ts';
import type { Captions } from '../../data/source.ts';

const PIECE_BYTES = 1 << 20;

export class CaptionLines {
  readonly #path: string;
  /** Where each line starts, and the last ends. */
  readonly #starts: Float64Array;
  /** What to do where the file is damaged. */
  readonly #advice: string;

  private constructor(path: string, starts: Float64Array, advice: string) {
    this.#path = path;
    this.#starts = starts;
    this.#advice = advice;
  }

  /** @throws RectiflowError where the file has not as many lines as there are samples */
  static async open(path: string, count: number, advice: string): Promise<CaptionLines> {
    const starts = new Float64Array(count + 1);
    let lines = 0;
    await withFile(path, async (file) => {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let position = 0; ;) {
        const { bytesRead } = await file.read(piece, 0, piece.length, position);
        if (bytesRead === 0) return;
        for (let at = piece.indexOf(0x0a); at !== -1 && at < bytesRead; at = piece.indexOf(0x0a, at + 1)) {
          if (++lines <= count) starts[lines] = position + at + 1;
        }
        position += bytesRead;
      }
    });
    if (lines !== count) throw fileError(path, `has ${lines} lines for ${count} samples`, advice);
    return new CaptionLines(path, starts, advice);
  }

  /** @throws RectiflowError naming the line that holds no captions */
  async read(index: number, pool: FilePool): Promise<Captions> {
    const [start, end] = [this.#starts[index]!, this.#starts[index + 1]!];
    const line = await pool.read(this.#path, start, end - start);
    try {
      const captions: unknown = JSON.parse(decodeText(line, this.#path));
      if (typeof captions === 'string' || isTexts(captions)) return captions;
    } catch (cause) {
      if (cause instanceof RectiflowError) throw cause;
      const problem = `line ${index + 1} is no JSON (${(cause as Error).message})`;
      throw fileError(this.#path, problem, this.#advice, cause);
    }
    throw fileError(this.#path, `line ${index + 1} is no text`, this.#advice);
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string');
}

// What comes from a job in pieces of any size.
import { StringDecoder } from 'node:string_decoder';
import { frameBegin } from './launcher-words.ts';

const newline = 10;

/** Standard output up to the frame that MPICH ends it with, and that as lines. */
export class OutputBeforeFrame {
  readonly #onOutput: (bytes: Uint8Array) => void;
  readonly #lines: Lines;
  #isFrame = false;

  constructor(onOutput: (bytes: Uint8Array) => void, onLine: (line: string) => void) {
    this.#onOutput = onOutput;
    this.#lines = new Lines(onLine);
  }

  take(bytes: Buffer): void {
    // It comes in one piece, behind an empty line, when all ranks have ended. In latin1 a character is a byte.
    const begin = this.#isFrame ? 0 : bytes.toString('latin1').search(frameBegin);
    if (begin !== 0) this.#onOutput(begin < 0 ? bytes : bytes.subarray(0, begin));
    if (begin < 0) return;
    this.#isFrame = true;
    this.#lines.take(bytes.subarray(bytes[begin] === newline ? begin + 1 : begin));
  }

  end(): void {
    this.#lines.end();
  }
}

/** Whole lines of bytes that come in pieces. */
export class Lines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  take(bytes: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = lines.pop()!;
    lines.forEach(this.#onLine);
  }

  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}

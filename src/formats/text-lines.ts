import { createReadStream } from 'node:fs';
import { checkRegular } from '../host/regular-file.ts';
import { fileError } from '../tensor/errors.ts';
import { decodeText } from '../tensor/text.ts';

export interface TextLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
/** Longer lines describe no sample; it bounds what a hostile file makes a reader allocate. */
const MOST_BYTES = 16 << 20;
/** What is told of a million samples and more, all of which is kept. */
const MOST_OF_FILE = 256 << 20;

/**
 * The lines of a text file in UTF-8, one at a time. Lines end in LF or CR LF.
 * @throws RectiflowError naming the file that is larger than 256 MiB, the line that is no UTF-8, or longer than 16 MiB; what the operating system throws as it is
 */
export async function* textLines(path: string): AsyncGenerator<TextLine, void, void> {
  const { size: fileSize } = await checkRegular(path);
  if (fileSize > MOST_OF_FILE) {
    const problem = `has ${fileSize} bytes, more than the ${MOST_OF_FILE} that such a file may have`;
    throw fileError(path, problem, 'Put so many samples into tar shards or Parquet files');
  }
  let line = 0;
  let begun: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer): void => {
    size += part.length;
    if (size > MOST_BYTES) {
      const problem = `line ${line + 1} has more than ${MOST_BYTES} bytes`;
      throw fileError(path, problem, 'Write one sample a line');
    }
    begun.push(part);
  };
  const end = (): TextLine => {
    const bytes = Buffer.concat(begun);
    [begun, size] = [[], 0];
    const hasReturn = bytes.at(-1) === RETURN;
    // What begins the file tells its encoding, and is named by the file alone.
    const origin = line++ === 0 ? path : `${path}: line ${line}`;
    return { line, text: decodeText(hasReturn ? bytes.subarray(0, -1) : bytes, origin) };
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let feed = chunk.indexOf(LINE_FEED); feed !== -1; feed = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, feed));
      start = feed + 1;
      yield end();
    }
    add(chunk.subarray(start));
  }
  if (size > 0) yield end();
}

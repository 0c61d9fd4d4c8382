// A run as one file to download: its folder, zipped without compression, which weights have little use for.
import { Zip, ZipPassThrough } from 'fflate';
import { runFolders } from '../../../src/kept/layout.ts';
import { runError } from '../../../src/tensor/errors.ts';
import type { HeldRun } from './kept-runs.ts';

/** Read at a time. */
const PIECE = 4 << 20;
/** Beyond it a zip needs the form zip64. */
const MOST = 2 ** 32 - 2 ** 20;

/**
 * NAME.zip, with all in a folder NAME, which `rectiflow resume NAME` goes on with. Read piece by piece as it is asked for; nothing of the run is
 * to be written meanwhile.
 * @throws RectiflowError where the run is too large for a zip
 */
export async function zipOf({
  run,
  folder,
}: Pick<HeldRun, 'run' | 'folder'>): Promise<ReadableStream<Uint8Array>> {
  const { name } = run.config;
  const files: { readonly file: string; readonly size: number }[] = [];
  for (const file of await run.files()) files.push({ file, size: (await folder.size(file)) ?? 0 });
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MOST) {
    const problem = `has ${(bytes / 1e9).toFixed(1)} GB, and a zip holds 4.2`;
    throw runError(name, problem, 'Download its weights alone, or keep fewer checkpoints');
  }
  const chunks = zipped();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });

  async function* zipped(): AsyncGenerator<Uint8Array> {
    let made: Uint8Array[] = [];
    const zip = new Zip((error, chunk) => {
      if (error) throw error;
      made.push(chunk);
    });
    const begin = (path: string): ZipPassThrough => {
      const entry = new ZipPassThrough(`${name}/${path}`);
      zip.add(entry);
      return entry;
    };
    for (const path of runFolders) begin(`${path}/`).push(new Uint8Array(), true);
    for (const { file, size } of files) {
      const entry = begin(file);
      for (let start = 0; start < size || start === 0; start += PIECE) {
        const end = Math.min(size, start + PIECE);
        entry.push((await folder.read(file, { start, end })) ?? new Uint8Array(), end === size);
        yield* made;
        made = [];
      }
    }
    zip.end();
    yield* made;
  }
}

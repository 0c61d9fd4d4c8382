// A file of averages, written by all ranks at once, each its pieces of every tensor: the same bytes as if one process wrote it.
import { resolve } from 'node:path';
import { readSafetensorsHeader, readSafetensorsTensor } from '../../formats/safetensors-file.ts';
import { createSafetensors, replaceHeader, writePieces } from '../../formats/safetensors-pieces.ts';
import { type SafetensorsLayout, safetensorsLayout } from '../../formats/safetensors.ts';
import { RectiflowError, fileError, systemProblem } from '../../tensor/errors.ts';
import type { SafetensorsDtype, StoredTensor } from '../../tensor/stored-tensor.ts';
import type { OpenTensors } from '../../train/run-store.ts';
import { digestOfAverage } from '../averages-file.ts';
import { averagesMetadata, finiteValues, isTooLarge, storedAverage } from '../../kept/averages.ts';
import type { WriteAverages } from '../store-averages.ts';
import type { Together } from './joint-work.ts';
import { seeing } from './shared-folder.ts';

/** First to look for values that float16 cannot hold, then to write. */
export type AveragesOrder = LookOrder | WriteOrder;

interface LookOrder {
  /** Where the file will be. */
  readonly path: string;
}

interface WriteOrder {
  /** A file that rank 0 has made, in full size. */
  readonly temporary: string;
  /** Where its data section starts. */
  readonly dataStart: number;
  /** Tensors that are float32. */
  readonly wide: readonly string[];
}

/** How rank 0 has the file written by all. */
export function writeAveragesTogether(together: Together): WriteAverages {
  return async ({ path, temporary, updates }, averages) => {
    const look: LookOrder = { path };
    const wide = (await together(look, () => namesOfLarge(look, averages))).flat();
    const layout = (digestOf: (tensor: string) => string): SafetensorsLayout => {
      const digests = Array.from(averages.slots.keys(), (name) => [name, digestOf(name)] as const);
      return safetensorsLayout(typesOf(averages, wide), averagesMetadata(updates, new Map(digests)));
    };
    // Digests are known when all have written, and are all of one length.
    const draft = layout(() => '0'.repeat(64));
    await createSafetensors(temporary, draft);
    const write: WriteOrder = { temporary: resolve(temporary), dataStart: draft.header.length, wide };
    await together(write, () => writeOwn(write, averages));
    const digests = await digestsIn(temporary, updates);
    await replaceHeader(
      temporary,
      layout((name) => digests.get(name)!),
    );
  };
}

/**
 * How another rank does its part.
 * @returns what `namesOfLarge` does where that is asked for
 * @throws RectiflowError where it cannot write, or does not see the file
 */
export async function writeOrderedAverages(order: AveragesOrder, averages: OpenTensors): Promise<unknown> {
  if ('path' in order) return namesOfLarge(order, averages);
  try {
    return await seeing(order.temporary, () => writeOwn(order, averages));
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    const problem = `its part of the averages cannot be stored: ${systemProblem(error)}`;
    throw fileError(order.temporary, problem, 'Free some space or check the disk', error);
  }
}

/** The tensors whose pieces here have values that float16 cannot hold. */
async function namesOfLarge({ path }: LookOrder, averages: OpenTensors): Promise<string[]> {
  const large: string[] = [];
  for (const name of averages.slots.keys())
    if (isTooLarge(finiteValues(path, name, await averages.read(name)))) large.push(name);
  return large;
}

async function writeOwn({ temporary, dataStart, wide }: WriteOrder, averages: OpenTensors): Promise<void> {
  const { begins } = safetensorsLayout(typesOf(averages, wide));
  await writePieces(temporary, { begins, dataStart }, ownPieces(averages, wide));
}

/** One after the other: they need not be in memory together. */
async function* ownPieces(
  averages: OpenTensors,
  wide: readonly string[],
): AsyncGenerator<[name: string, StoredTensor]> {
  for (const name of averages.slots.keys())
    yield [name, storedAverage(await averages.read(name), wide.includes(name))];
}

function typesOf(
  { slots }: OpenTensors,
  wide: readonly string[],
): Map<string, Pick<StoredTensor, 'dtype' | 'shape'>> {
  const dtypeOf = (name: string): SafetensorsDtype => (wide.includes(name) ? 'F32' : 'F16');
  return new Map(Array.from(slots, ([name, { shape }]) => [name, { dtype: dtypeOf(name), shape }]));
}

async function digestsIn(path: string, updates: number): Promise<Map<string, string>> {
  const header = await readSafetensorsHeader(path);
  const digests = new Map<string, string>();
  for (const slot of header.slots) {
    const tensor = await readSafetensorsTensor(path, header, slot);
    digests.set(slot.name, digestOfAverage(slot.name, String(updates), tensor));
  }
  return digests;
}

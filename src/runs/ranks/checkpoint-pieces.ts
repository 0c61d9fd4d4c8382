// The files of a checkpoint, written by all ranks at once, each its pieces of every tensor: the same bytes as if one process wrote them.
import { join, resolve } from 'node:path';
import { safetensorsLayout } from '../../formats/safetensors.ts';
import { createSafetensors, writePieces } from '../../formats/safetensors-pieces.ts';
import type { FileDigest } from '../../tensor/file-digest.ts';
import { digestFile } from '../../host/durable.ts';
import { RectiflowError, fileError, internalError, systemProblem } from '../../tensor/errors.ts';
import type { Pace } from '../../tensor/pace.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import type { WriteFiles } from '../checkpoint.ts';
import type { Together } from './joint-work.ts';
import { seeing } from './shared-folder.ts';

/** Files that rank 0 has made, in full size. */
export interface PiecesOrder {
  readonly folder: string;
  /** By name: where the data section starts, and how many bytes it has. */
  readonly files: Readonly<Record<string, { readonly dataStart: number; readonly dataBytes: number }>>;
}

type Files = ReadonlyMap<string, StoredTensors>;

/** How rank 0 has files written by all. Their digests are of what is on the disk when all have written. */
export function writeTogether(together: Together): WriteFiles {
  return async (folder, tensors, metadata, { pace, check }) => {
    await check?.();
    const made: [string, PiecesOrder['files'][string]][] = [];
    for (const [file, pieces] of tensors) {
      const layout = safetensorsLayout(pieces, metadata);
      await createSafetensors(join(folder, file), layout);
      made.push([file, { dataStart: layout.header.length, dataBytes: layout.dataBytes }]);
    }
    const order: PiecesOrder = { folder: resolve(folder), files: Object.fromEntries(made) };
    await together(order, () => writeOwn(order, tensors, pace));
    const digests: Record<string, FileDigest> = {};
    for (const file of tensors.keys()) {
      await check?.();
      digests[file] = await digestFile(join(folder, file), pace);
    }
    return digests;
  };
}

/**
 * How another rank writes its pieces.
 * @throws RectiflowError where it cannot, or does not see the files
 */
export async function writeOrdered(order: PiecesOrder, tensors: Files, pace?: Pace): Promise<void> {
  try {
    await seeing(order.folder, () => writeOwn(order, tensors, pace));
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    const problem = `its part of the checkpoint cannot be saved: ${systemProblem(error)}; earlier ones are untouched`;
    throw fileError(order.folder, problem, 'Free some space or check the disk', error);
  }
}

async function writeOwn({ folder, files }: PiecesOrder, tensors: Files, pace?: Pace): Promise<void> {
  for (const [file, pieces] of tensors) {
    const { begins, dataBytes } = safetensorsLayout(pieces);
    const made = files[file];
    if (made?.dataBytes !== dataBytes)
      throw internalError(`${file} has ${made?.dataBytes} bytes of tensors on rank 0, ${dataBytes} here`);
    await writePieces(join(folder, file), { begins, dataStart: made.dataStart }, pieces, pace);
  }
}

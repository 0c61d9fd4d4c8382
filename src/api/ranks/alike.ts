// What the ranks of a run compare before the first step.
import { createHash } from 'node:crypto';
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import { version } from '../../host/machine.ts';
import { describeKernels } from '../../train/kernels.ts';
import type { PreparedRun } from '../../runner/prepare-run.ts';
import { type Facts, checkAlike } from '../../train/ranks/agree.ts';
import { type Communicator, nameOfRank } from '../../train/ranks/communicator.ts';

/** Longer facts are compared, and shown, by their digest. */
const longest = 60;

/**
 * Programs and settings. All ranks call it.
 * @param onNotice is told on rank 0 of what may differ and has a consequence
 * @throws RectiflowError naming the setting, and who has another
 */
export async function checkSettings(
  communicator: Communicator,
  config: RunConfig,
  backend: Backend,
  onNotice: (text: string) => void = () => {},
): Promise<void> {
  await checkAlike(communicator, { 'the version of rectiflow': version }, 'Install the same everywhere');
  await checkAlike(communicator, leavesOf(config), 'Start all ranks with the same config and options');
  const kernels = await communicator.gatherJson(describeKernels(backend));
  const other = kernels.findIndex((each) => each !== kernels[0]);
  if (other > 0 && communicator.rank === 0)
    onNotice(
      `${nameOfRank(communicator, other)} computes with the kernels ${kernels[other]}, ${nameOfRank(communicator, 0)} with ${kernels[0]}: ` +
        'numbers then depend on which rank computes which samples.',
    );
}

/**
 * Data and weights. All ranks call it.
 * @throws RectiflowError naming what differs, and on which ranks
 */
export async function checkPrepared(
  communicator: Communicator,
  { source, notes, buffers, model, backend }: PreparedRun,
): Promise<void> {
  const record = leavesOf(notes?.state?.['data'], 'the data: ');
  await checkAlike(
    communicator,
    { 'the number of samples': String(source.count), ...record },
    'Give all machines the same data, best from one shared file system',
  );
  const hash = createHash('sha256');
  for (const { name } of model.parameters) {
    const buffer = buffers.get(name)!;
    const values = (backend.view?.(buffer) ?? (await buffer.read())) as Float32Array;
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  await checkAlike(
    communicator,
    { 'the weights': hash.digest('hex').slice(0, digits) },
    'The same seed makes the same weights on machines of one kind: look for a file that differs',
  );
}

/** Of a digest that is shown. */
const digits = 16;

/** Every leaf of plain JSON by its path: `train.batchSize`. */
function leavesOf(value: unknown, path = ''): Facts {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const dot = path === '' || path.endsWith(': ') ? path : `${path}.`;
    return Object.assign({}, ...Object.entries(value).map(([key, each]) => leavesOf(each, dot + key)));
  }
  const text = JSON.stringify(value) ?? 'nothing';
  const shown =
    text.length <= longest
      ? text
      : `SHA-256 ${createHash('sha256').update(text).digest('hex').slice(0, digits)}`;
  return { [path]: shown };
}

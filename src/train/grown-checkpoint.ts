// A checkpoint as a larger model reads it: what of its tensors is resized becomes so when it is read, one after the other.
import type { ParameterResize } from '../models/grow-patches.ts';
import { type ParameterGroup, optimizerOf, slotTensor } from '../optim/optimizer.ts';
import { sizeOf } from '../tensor/shape.ts';
import { type Range, type StoredTensor, type StoredTensors, pieceOf } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { averageTensor, parseAverageTensor } from './averages.ts';
import type { CheckpointPart, OpenPart, StoredCheckpoint } from './run-store.ts';
import { stateOf } from './trainer-state.ts';

export interface GrowOptions {
  /** Of the parameters that change, by their names. */
  readonly resizes: ReadonlyMap<string, ParameterResize>;
  /** Whether what the optimizer keeps is resized, too, or begins with zero. */
  readonly moments: 'kept' | 'new';
  readonly optimizers: readonly ParameterGroup[];
  /** Names of tables, which the larger model computes by itself. */
  readonly tables?: readonly string[] | undefined;
  /** First values of parameters that the model of the checkpoint lacks; none by default. */
  readonly added?: StoredTensors | undefined;
}

/** The same step of the same run: position, counts and averages go on. */
export function grownCheckpoint(saved: StoredCheckpoint, options: GrowOptions): StoredCheckpoint {
  const { updates } = stateOf(saved);
  return {
    ...saved,
    state: { ...saved.state, ...(options.moments === 'new' && { momentsFrom: updates }) },
    async open(part) {
      const opened = await saved.open(part);
      return opened && grownPart(part, opened, options);
    },
  };
}

/** One tensor of a part, by what the larger model has in its place. */
interface Grown {
  readonly shape: readonly number[];
  read(range?: Range): Promise<StoredTensor>;
}

function grownPart(part: CheckpointPart, opened: OpenPart, options: GrowOptions): OpenPart {
  const grown = new Map<string, Grown>();
  for (const [name, { shape }] of opened.slots) {
    if (options.tables?.includes(name)) continue;
    const { parameter, content } = meaningOf(part, name, options);
    const resize = options.resizes.get(parameter);
    if (content === undefined) grown.set(name, zeros(resize?.shape ?? shape));
    else if (resize === undefined) grown.set(name, { shape, read: (range) => opened.read(name, range) });
    else {
      const resized = async (): Promise<StoredTensor> => {
        const data = resize.resize(toFloat32(await opened.read(name)), content);
        return { dtype: 'F32', shape: resize.shape, data };
      };
      grown.set(name, madeWhole(resize.shape, resized));
    }
  }
  for (const [name, tensor] of addedTo(part, opened, options)) grown.set(name, tensor);
  return { origin: opened.origin, slots: grown, read: (name, range) => grown.get(name)!.read(range) };
}

type Meaning = {
  readonly parameter: string;
  readonly content: 'weights' | 'gradients' | 'squares' | undefined;
};

/** What a tensor of a part holds, and of which parameter; undefined for what is to begin with zero. */
function meaningOf(part: CheckpointPart, name: string, { moments, optimizers }: GrowOptions): Meaning {
  if (part === 'model' || part === 'ema') return { parameter: name, content: 'weights' };
  if (part === 'averages') return { parameter: parseAverageTensor(name)!.parameter, content: 'weights' };
  const parameter = name.slice(name.indexOf('/') + 1);
  if (moments === 'new') return { parameter, content: undefined };
  const slots = optimizers.flatMap(({ optimizer }) =>
    optimizer.slots.filter((slot) => slotTensor(optimizer, slot, parameter) === name),
  );
  return { parameter, content: slots[0]?.of };
}

/** What parameters have in a part that the checkpoint has not. */
function addedTo(
  part: CheckpointPart,
  opened: OpenPart,
  { added, optimizers }: GrowOptions,
): Map<string, Grown> {
  const tensors = new Map<string, Grown>();
  const averages = new Set([...opened.slots.keys()].map((name) => parseAverageTensor(name)?.name));
  for (const [name, tensor] of added ?? []) {
    const { shape } = tensor;
    const first = madeWhole(shape, async () => tensor);
    if (part === 'model' || part === 'ema') tensors.set(name, first);
    else if (part === 'averages')
      for (const average of averages) tensors.set(averageTensor(average, name), first);
    else {
      const optimizer = optimizerOf(optimizers, { name, shape });
      for (const slot of optimizer.slots) tensors.set(slotTensor(optimizer, slot, name), zeros(shape));
    }
  }
  return tensors;
}

function zeros(shape: readonly number[]): Grown {
  return madeWhole(shape, async () => ({ dtype: 'F32', shape, data: new Float32Array(sizeOf(shape)) }));
}

function madeWhole(shape: readonly number[], make: () => Promise<StoredTensor>): Grown {
  return { shape, read: async (range) => (range ? pieceOf(await make(), range) : make()) };
}

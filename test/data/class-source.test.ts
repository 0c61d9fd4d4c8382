// A source may be a class: methods and facts on its prototype, and private fields that its methods need their `this` for.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { checkSamples } from '../../src/check/check.ts';
import { digestSource } from '../../src/check/digest.ts';
import type { ModelConfig } from '../../src/train/settings.ts';
import { BadSamples } from '../../src/data/bad-samples.ts';
import { holdOut } from '../../src/data/hold-out.ts';
import type { Inspectable, SampleDetails } from '../../src/data/inspect.ts';
import { keepSamples } from '../../src/data/kept-samples.ts';
import { Loader } from '../../src/data/loader.ts';
import { SampleReader } from '../../src/data/sample-reader.ts';
import { membersOf, selectSamples } from '../../src/data/source-view.ts';
import { type Annotation, type Source, nameOfSample } from '../../src/data/source.ts';
import { compareData } from '../../src/known/compare-data.ts';
import { type DataRecord, describeData } from '../../src/known/data-record.ts';
import { writePreview } from '../../src/pictures/preview.ts';
import { packSource } from '../../src/sources/pack.ts';
import { dataError } from '../../src/tensor/errors.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { captionsOf } from '../../src/data/captions.ts';
import { learnTokenizer } from '../../src/train/learn-tokenizer.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, tinyStripes } from '../support/tiny-run.ts';

const key = { seed: 0, epoch: 0 };
const size = 96;

class Greys implements Source {
  readonly #name: string = 'greys';
  readonly #bad: number | undefined;

  /** @param bad the sample that cannot be read */
  constructor(bad?: number) {
    this.#bad = bad;
  }

  get name(): string {
    return this.#name;
  }

  get count(): number {
    return this.#name.length + 12;
  }

  get shape(): readonly number[] {
    return [1, this.#name.length + 3, 12];
  }

  get classes(): number {
    return this.classNames.length;
  }

  get classNames(): readonly string[] {
    return [`${this.#name} a`, `${this.#name} b`, `${this.#name} c`];
  }

  get captions(): boolean {
    return this.#name !== '';
  }

  get isFixed(): boolean {
    return this.#name !== '';
  }

  read(index: number, out: Float32Array, offset: number): Annotation {
    if (index === this.#bad) throw dataError(this.describe(index), 'is broken', 'Mend it');
    for (let i = 0; i < sizeOf(this.shape); i++) out[offset + i] = ((index * 31 + i) % 256) / 127.5 - 1;
    return { label: index % this.classes, caption: this.caption(index) };
  }

  caption(index: number): string {
    if (index === this.#bad) throw dataError(this.describe(index), 'is broken', 'Mend it');
    return `${this.#name} number ${index}`;
  }

  describe(index: number): string {
    return `${this.#name}/${index}`;
  }

  inspect(index: number): Promise<SampleDetails> {
    return Promise.resolve({ digest: `${this.#name} ${index}`, height: 8, width: 12, format: this.#name });
  }

  fingerprint(): string {
    return `of ${this.#name}`;
  }

  close(): Promise<void> {
    return Promise.resolve(void this.#name);
  }
}

/** Told labels alone. */
class Labelled extends Greys {
  override get captions(): boolean {
    return !super.captions;
  }
}

class Cells extends Labelled {
  readonly #genes = ['gene 0', 'gene 1', 'gene 2'];

  override get shape(): readonly number[] {
    return [this.#genes.length];
  }

  get record(): Readonly<Record<string, unknown>> {
    return {
      kind: 'expression',
      genes: this.#genes,
      normalize: 'none',
      target: 0,
      center: [0],
      deviation: [1],
    };
  }
}

/** The same as a plain object, whose functions need no `this`. */
function plain(greys: Greys): Source & Inspectable {
  const { name, count, shape, classes, classNames, captions, isFixed, record }: Source = greys;
  return {
    name,
    count,
    shape,
    classes,
    classNames,
    captions,
    isFixed,
    ...(record && { record }),
    read: (index, out, offset) => greys.read(index, out, offset),
    caption: (index) => greys.caption(index),
    describe: (index) => greys.describe(index),
    inspect: (index: number) => greys.inspect(index),
    fingerprint: () => greys.fingerprint(),
    close: () => greys.close(),
  };
}

/** All that a source says and holds. */
async function contentOf(source: Source): Promise<unknown> {
  const { name, count, shape, classes, classNames, captions, isFixed, record } = source;
  const samples = [];
  for (let index = 0; index < count; index++) {
    const out = new Float32Array(size);
    const annotation = await source.read(index, out, 0, key);
    samples.push([annotation, out, await source.caption?.(index), nameOfSample(source, index)]);
  }
  const fingerprint = await source.fingerprint?.();
  await source.close?.();
  return { name, count, shape, classes, classNames, captions, isFixed, record, samples, fingerprint };
}

async function compared(source: Source, known: DataRecord): Promise<unknown> {
  const checkpoint = { path: 'before', step: 1, state: { data: known } };
  const model = { kind: 'dit', classes: 3 } as ModelConfig;
  const { source: mapped, ...rest } = await compareData(source, { checkpoint, model });
  return [rest, await contentOf(mapped)];
}

/** What is told of an error of the last sample. */
function refusalOf(source: Source): string {
  try {
    new BadSamples(source).add(3, dataError(nameOfSample(source, 3), 'is broken', 'Mend it'), 1);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

const uses: Record<string, (source: Source) => unknown> = {
  members: (source) => contentOf(membersOf(source)),
  selection: (source) => contentOf(selectSamples(source, 5, (index) => 2 * index)),
  'hold-out': async (source) => {
    const { trained, heldOut, seen } = holdOut(source, 4, 1);
    return Promise.all([trained, heldOut, seen].map(contentOf));
  },
  'kept samples': async (source) => {
    const kept = keepSamples(source, 1e6);
    return [await contentOf(kept), await contentOf(kept)];
  },
  'a check': (source) => checkSamples(source),
  'a digest': (source) => digestSource(source, { seed: 0 }),
  'what is recorded': (source) => describeData(source, 'class'),
  'a loader': async (source) => {
    const loader = new Loader(source, { batchSize: 7, seed: 1 });
    const batches = [await loader.next(), await loader.next(), await loader.next()];
    loader.close();
    return batches;
  },
  captions: async (source) => {
    const captions: string[] = [];
    for await (const caption of captionsOf(source)) captions.push(caption);
    return captions;
  },
  'a tokenizer': (source) =>
    learnTokenizer(
      { kind: 'text-dit', text: { tokenizer: 'byte-pairs', vocabulary: 520 } } as ModelConfig,
      source,
    ),
  'a pack of arrays': async (source) => {
    const folder = join(await temporaryFolder(), 'pack');
    return packSource(source, folder, { form: 'array' });
  },
  'a pack of shards': async (source) => {
    const folder = join(await temporaryFolder(), 'pack');
    return packSource(source, folder, { form: 'shards' });
  },
  'a preview': async (source) => {
    const file = join(await temporaryFolder(), 'preview.png');
    await writePreview(file, source, { seed: 0, count: 6 });
    return readFile(file);
  },
  'a comparison of classes': (source) =>
    compared(source, { told: 'class', classNames: ['greys c', 'greys a', 'greys b'] }),
  'the refusal of a sample': refusalOf,
};

describe('a source that is a class is to all who use it what a plain object is', () => {
  it.each(Object.entries(uses))('%s', async (_, use) => {
    const found = await use(new Greys());
    expect(found).toEqual(await use(plain(new Greys())));
    expect(JSON.stringify(found)).not.toBe('{}');
  });

  it('a comparison of genes', async () => {
    const genes = ['gene 2', 'gene 0', 'gene 1'];
    const record = { ...new Cells().record!, genes };
    const known: DataRecord = { told: 'nothing', record };
    const found = await compared(new Cells(), known);
    expect(found).toEqual(await compared(plain(new Cells()), known));
    expect(found).toMatchObject([
      { notices: [expect.any(String), expect.stringContaining('another order')] },
      {},
    ]);
  });

  it.each(['read', 'caption'] as const)('samples that cannot be had by %s', async (how) => {
    const use = async (source: Source): Promise<unknown> => {
      const told: string[] = [];
      const onBad = ({ message }: Error): void => void told.push(message);
      const reader = new SampleReader(source, { onBadSample: 'skip', whole: 100, onBad });
      for (let index = 0; index < source.count; index++)
        await (how === 'caption'
          ? reader.caption(index)
          : reader.read(index, new Float32Array(size), 0, key));
      return [told, reader.skipped, reader.summary];
    };
    const found = await use(new Greys(3));
    expect(found).toEqual(await use(plain(new Greys(3))));
    expect(found).toEqual([
      [expect.stringContaining('greys/3: is broken')],
      1,
      expect.stringMatching(/: greys\/3$/),
    ]);
    const strict = new SampleReader(new Greys(3));
    expect(() => strict.read(3, new Float32Array(size), 0, key)).toThrow('greys/3: is broken');
  });

  it('training with samples held out, resumed, and what the doctor says of it', async () => {
    const config = { ...tinyStripes, heldOut: { count: 3 } };
    const backend = referenceBackend();
    const trained = async (source: Source): Promise<unknown> => {
      const runs = await temporaryFolder();
      const stop = new AbortController();
      const onStep = ({ step }: { step: number }): void => void (step === 4 && stop.abort());
      const { run } = await train(config, { runs, source, backend, onStep, signal: stop.signal });
      const { metrics } = await resume(run, { source, backend });
      const checks = await diagnose(config, { source, backend, overfitSeconds: 0 });
      return [
        metrics!.loss,
        metrics!.heldOutLoss,
        await checkpointBytes(run, 12),
        checks.filter(({ name }) => ['data', 'told', 'values'].includes(name)),
      ];
    };
    expect(await trained(new Labelled())).toEqual(await trained(plain(new Labelled())));
  });
});

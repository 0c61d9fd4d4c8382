import { setImmediate } from 'node:timers/promises';
import { isOfSample } from '../data/bad-samples.ts';
import { toBytes } from '../data/values.ts';
import { type FindingOptions, checkFindings } from './check-advice.ts';
import { CaptionCensus, digest } from './caption-census.ts';
import type { CaptionMeter } from '../data/caption-meter.ts';
import { ChannelCensus } from './channel-census.ts';
import type { Caption, DataReport } from './data-report.ts';
import { ExpressionCensus } from './cell-census.ts';
import { isInspectable } from '../data/inspect.ts';
import { ownShape } from '../data/sample-sizes.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { BucketCensus } from './bucket-census.ts';
import { DuplicateCensus } from './duplicate-census.ts';
import { checkAnnotation } from '../data/sample-reader.ts';
import { type Source, isPicture } from '../data/source.ts';
import { listSome } from '../data/list-some.ts';
import { counted } from '../tensor/counted.ts';
import { describeTold } from '../data/told.ts';

export interface CheckOptions extends FindingOptions {
  /** Of the model that is to be told the captions. */
  readonly captions?: CaptionMeter | undefined;
  /** Samples of a shape that a step learns from. */
  readonly batchSizeOf?: ((shape: Shape) => number) | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops after the samples that are being read, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const AT_ONCE = 8;
/** What is in memory is read without a turn of the event loop, in which signals are heard. */
const TURN_MS = 50;
const NAMED = 100;
const LONGEST = 5;
const ASPECTS = ['below 1:2', '1:2 to 3:4', '3:4 to 4:3', '4:3 to 2:1', 'above 2:1'] as const;

/**
 * Reads every sample once, and tells what there is and what is wrong with it. Memory grows by some numbers per sample, not by
 * what samples hold.
 * @throws RectiflowError only for what is no fault of single samples; those are in the report
 */
export async function checkSamples(source: Source, options: CheckOptions = {}): Promise<DataReport> {
  const { count } = source;
  const census = new Census(source, options.captions);
  let next = 0;
  let done = 0;
  let turned = performance.now();
  const work = async (): Promise<void> => {
    while (next < count) {
      options.signal?.throwIfAborted();
      await census.add(next++);
      options.onProgress?.(++done, count);
      if (performance.now() - turned < TURN_MS) continue;
      turned = performance.now();
      await setImmediate();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const report = census.report(options.batchSizeOf);
  const findings = checkFindings(report, options);
  return { ...report, findings, advice: findings.map(({ text }) => text) };
}

class Census {
  readonly #source: Source;
  readonly #classes: number[];
  readonly #expression: ExpressionCensus | undefined;
  readonly #buckets: BucketCensus | undefined;
  readonly #latents: ChannelCensus | undefined;
  readonly #sizes = new Map<number, number>();
  readonly #aspects = ASPECTS.map(() => 0);
  readonly #formats = new Map<string, number>();
  readonly #problems: string[] = [];
  readonly #duplicates = new DuplicateCensus();
  #unreadable = 0;
  #enlarged = 0;
  readonly #moving = { count: 0, examples: [] as string[] };
  #values = { count: 0, least: Infinity, most: -Infinity, areBytes: true };
  /** Sum and sum of squares of each sample, added up in their order, not in that in which reads end. */
  readonly #sums: number[] = [];
  readonly #squares: number[] = [];
  #longest: Caption[] = [];
  readonly #captions: CaptionCensus;
  #characters = 0;

  constructor(source: Source, captions: CaptionMeter | undefined) {
    this.#source = source;
    this.#captions = new CaptionCensus(captions);
    this.#buckets = BucketCensus.of(source);
    this.#classes = new Array<number>(source.classes ?? 0).fill(0);
    this.#expression = ExpressionCensus.of(source);
    this.#latents = ChannelCensus.of(source);
  }

  async add(index: number): Promise<void> {
    const shape = ownShape(this.#source, index);
    const values = new Float32Array(sizeOf(shape));
    try {
      const key = { seed: 0, epoch: 0, ...(this.#source.sizes && { shape }) };
      const read = await this.#source.read(index, values, 0, key);
      const { label, caption } = checkAnnotation(this.#source, index, read);
      this.#addLabel(label);
      await this.#addStored(index, values);
      // Where there are several, one is drawn in each epoch.
      const captions = caption === undefined ? [] : [(await this.#source.caption?.(index)) ?? caption].flat();
      const told = captions.length === 0 ? undefined : captions.join('\n');
      this.#duplicates.tell(index, label === undefined ? told : `class ${label}`);
      this.#addValues(index, values);
      this.#expression?.add(values);
      this.#latents?.add(index, values);
      for (const each of captions) this.#addCaption({ sample: this.#describe(index), caption: each });
    } catch (error) {
      if (!isOfSample(error)) throw error;
      if (this.#unreadable++ < NAMED) this.#problems.push(error.message);
    }
  }

  report(batchSizeOf: ((shape: Shape) => number) | undefined): Omit<DataReport, 'findings' | 'advice'> {
    const { name, count, shape, classNames, record, paired } = this.#source;
    const { count: seen, least, most, areBytes } = this.#values;
    let [sum, squares] = [0, 0];
    for (let i = 0; i < this.#sums.length; i++) {
      sum += this.#sums[i] ?? 0;
      squares += this.#squares[i] ?? 0;
    }
    const mean = sum / seen;
    const bySize = Array.from(this.#sizes).toSorted(([a], [b]) => a - b);
    const captions = this.#captions.report();
    return {
      name,
      count,
      shape,
      told: describeTold(this.#source),
      unused: this.#source.unused ?? [],
      remarks: [...(this.#source.remarks ?? []), ...this.#furtherFrames()],
      ...(this.#classes.length > 0 && {
        classes: this.#classes.map((samples, label) => ({
          name: classNames?.[label] ?? String(label),
          count: samples,
        })),
      }),
      sizes: bySize.map(([side, images]) => ({ name: `${side} to ${2 * side - 1}`, count: images })),
      aspects: this.#aspects.flatMap((images, i) =>
        images > 0 ? [{ name: ASPECTS[i]!, count: images }] : [],
      ),
      formats: Array.from(this.#formats, ([format, images]) => ({ name: format, count: images })),
      ...(this.#buckets && { readAt: this.#buckets.report(batchSizeOf) }),
      enlarged: this.#enlarged,
      unreadable: { count: this.#unreadable, problems: this.#problems },
      duplicates: this.#duplicates.report((index) => this.#describe(index), NAMED),
      ...(seen > 0 && {
        values: {
          least,
          most,
          mean,
          deviation: Math.sqrt(Math.max(0, squares / seen - mean ** 2)),
          arePictures: isPicture(shape, record),
          areBytes,
        },
      }),
      ...(paired && { pairedBy: paired.model }),
      ...(this.#latents && seen > 0 && { latents: this.#latents.report() }),
      ...(captions.count > 0 && {
        captions: { ...captions, longest: this.#longest, meanLength: this.#characters / captions.count },
      }),
      ...(this.#expression && { expression: this.#expression.report() }),
    };
  }

  #furtherFrames(): string[] {
    const { count, examples } = this.#moving;
    if (count === 0) return [];
    return [
      `${counted(count, 'image')} with several frames or pages: ${listSome(examples, count)}. ` +
        'The first of each is read. Split them into files to have all.',
    ];
  }

  #describe(index: number): string {
    return this.#source.describe?.(index) ?? `sample ${index}`;
  }

  #addLabel(label: number | undefined): void {
    if (label !== undefined && this.#classes.length > 0) this.#classes[label]!++;
  }

  async #addStored(index: number, values: Float32Array): Promise<void> {
    if (!isInspectable(this.#source)) {
      this.#duplicates.add(index, digest(new Uint8Array(values.buffer)));
      return;
    }
    const { digest: stored, height, width, format, hasMore } = await this.#source.inspect(index);
    if (hasMore && this.#moving.count++ < NAMED) this.#moving.examples.push(this.#describe(index));
    this.#duplicates.add(index, digest(stored));
    increment(this.#sizes, 2 ** Math.floor(Math.log2(Math.min(height, width))));
    increment(this.#formats, format);
    const aspect = width / height;
    this.#aspects[[1 / 2, 3 / 4, 4 / 3, 2].filter((bound) => aspect > bound).length]!++;
    this.#buckets?.add(index, { height, width });
    const [, tall, wide] = ownShape(this.#source, index);
    if (height < tall! || width < wide!) this.#enlarged++;
  }

  #addValues(index: number, values: Float32Array): void {
    const all = this.#values;
    let [sum, squares] = [0, 0];
    for (const value of values) {
      all.least = Math.min(all.least, value);
      all.most = Math.max(all.most, value);
      sum += value;
      squares += value * value;
    }
    this.#sums[index] = sum;
    this.#squares[index] = squares;
    all.count += values.length;
    all.areBytes &&= toBytes(values) !== undefined;
  }

  #addCaption(caption: Caption): void {
    this.#captions.add(caption.caption);
    this.#characters += caption.caption.length;
    const longest = [...this.#longest, caption].toSorted((a, b) => b.caption.length - a.caption.length);
    this.#longest = longest.slice(0, LONGEST);
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

import { RectiflowError, fileError, runError } from '../tensor/errors.ts';
import { joined } from '../tensor/joined.ts';
import { canHash, sha256 } from '../tensor/sha256.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import { encodeSafetensors } from '../formats/safetensors.ts';
import type { BadStep } from '../train/bad-steps.ts';
import type { SampleWriter } from '../train/gallery.ts';
import type { Checkpoint, OpenTensors, Retention, RunStore, StoredCheckpoint } from '../train/run-store.ts';
import type { SampleGrid } from '../train/sample-grid.ts';
import { averagesMetadata, digestedOfAverage, finiteValues, isTooLarge, storedAverage } from './averages.ts';
import {
  checkpointPath,
  latestCheckpoint,
  refusal,
  saveCheckpoint,
  wholeCheckpoints,
} from './checkpoints.ts';
import type { KeptConfig } from './config.ts';
import { type RunData, openRunData } from './data.ts';
import { type KeptFolder, filesIn } from './folder.ts';
import {
  AVERAGES,
  BAD_STEPS,
  CHECKPOINTS,
  CONFIG,
  METRICS,
  SAMPLES,
  STATE,
  pictureTags,
  stepName,
  stepOfStored,
  stepsOf,
} from './layout.ts';
import { KeptLog } from './log.ts';
import { type MetricsRecord, formatRecord, parseRecords } from './metrics-lines.ts';
import { type RunRecord, encodeRecord, newRecord, parseRecord } from './record.ts';

/** PNG files of the samples that a run shows after a step. */
export interface EncodedSamples {
  readonly grid: Uint8Array;
  /** How they come out of noise. */
  readonly path?: Uint8Array;
}

/**
 * A run in a folder that any host may have, such as a browser's own storage: the files of a `RunFolder`, byte by byte, which the command line
 * goes on with. One process at a time works on it; who may is for its host to say.
 */
export class KeptRun implements RunStore {
  readonly record: RunRecord;
  readonly #folder: KeptFolder;

  private constructor(folder: KeptFolder, record: RunRecord) {
    this.#folder = folder;
    this.record = record;
  }

  /**
   * Starts a run, its data with it.
   * @param machine where, and by which version of rectiflow
   * @throws RectiflowError when the folder holds a run already, or cannot be written; nothing of it is left then
   */
  static async create(
    folder: KeptFolder,
    {
      config,
      data,
      ...machine
    }: { readonly config: KeptConfig; readonly data: RunData } & Pick<RunRecord, 'version' | 'machine'>,
  ): Promise<KeptRun> {
    if (!canHash()) {
      const problem = 'this page is of http:, to which browsers give neither storage nor checksums';
      throw runError(folder.path, problem, 'Open it by https:, or from localhost');
    }
    if ((await folder.size(CONFIG)) !== undefined)
      throw runError(folder.path, 'holds a run already', 'Go on with it, or choose another name');
    const record = await newRecord(config, machine);
    // Of a start that was cut.
    await folder.remove('');
    const files = [...data.files, [CONFIG, [new TextEncoder().encode(encodeRecord(record))]] as const];
    for (const [file, chunks] of files) {
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      await folder.write(file, chunks).catch(async (error: unknown) => {
        await folder.remove('').catch(() => {});
        const { problem, advice } = refusal(error, bytes);
        throw fileError(`${folder.path}/${file}`, `cannot be written: ${problem}`, advice, error);
      });
    }
    return new KeptRun(folder, record);
  }

  /** Takes up a run again. @throws RectiflowError when it is no run, or config.json is damaged */
  static async open(folder: KeptFolder): Promise<KeptRun> {
    const bytes = await folder.read(CONFIG);
    if (bytes === undefined) throw runError(folder.path, `is no run: it has no ${CONFIG}`, 'Begin a new one');
    return new KeptRun(folder, parseRecord(bytes, `${folder.path}/${CONFIG}`));
  }

  get path(): string {
    return this.#folder.path;
  }

  get config(): KeptConfig {
    return this.record.config as KeptConfig;
  }

  get badStepsPath(): string {
    return `${this.path}/${BAD_STEPS}`;
  }

  /** The data that it has with it. */
  data(): Promise<RunData> {
    return openRunData(this.#folder, this.config.data);
  }

  /** Where numbers and notices go, from `step` on. @param onNotice told when a line cannot be written */
  log(step: number, onNotice: (text: string) => void = () => {}): Promise<KeptLog> {
    return KeptLog.open({ folder: this.#folder, check: () => this.check(), onNotice }, step);
  }

  /** What was logged until now. */
  async metrics(): Promise<MetricsRecord[]> {
    return parseRecords((await this.#folder.read(METRICS)) ?? new Uint8Array()).records;
  }

  /** Where samples are shown: as files of the run. @param encode makes PNG files of them */
  samples(encode: (grid: SampleGrid) => Promise<EncodedSamples>): SampleWriter {
    const file = (step: number, what = ''): string => `${SAMPLES}/${stepName(step)}${what}.png`;
    return {
      write: async (step, grid) => {
        const { grid: picture, path } = await encode(grid);
        const files = { grid: file(step), path: file(step, '-path') };
        try {
          await this.#folder.write(files.grid, [picture]);
          if (path) await this.#folder.write(files.path, [path]);
        } catch (error) {
          for (const each of Object.values(files)) await this.#folder.remove(each).catch(() => {});
          const { problem, advice } = refusal(error, picture.length + (path?.length ?? 0));
          throw fileError(`${this.path}/${files.grid}`, `cannot be written: ${problem}`, advice, error);
        }
        const shown = (each: string): string => `${this.path}/${each}`;
        return {
          path: shown(files.grid),
          pictures: {
            [pictureTags.grid]: shown(files.grid),
            ...(path && { [pictureTags.path]: shown(files.path) }),
          },
        };
      },
      has: async (step) => (await this.#folder.size(file(step))) !== undefined,
    };
  }

  /** The steps that have a picture of samples, ascending. */
  async pictureSteps(): Promise<number[]> {
    const names = await this.#folder.list(SAMPLES);
    return stepsOf(names.flatMap((name) => /^(.*)\.png$/.exec(name)?.[1] ?? []));
  }

  /** The picture of a step's samples, a PNG file; undefined where there is none. */
  picture(step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#folder.read(`${SAMPLES}/${stepName(step)}.png`);
  }

  /** The paths of its files below its folder, without checkpoints that are being saved, or were cut. */
  async files(): Promise<string[]> {
    const whole = new Set((await wholeCheckpoints(this.#folder)).map(checkpointPath));
    const isWhole = (file: string): boolean => {
      const [folder, step] = file.split('/');
      return folder !== CHECKPOINTS || whole.has(`${folder}/${step}`);
    };
    return (await filesIn(this.#folder)).filter(isWhole);
  }

  async check(): Promise<void> {
    if ((await this.#folder.size(CONFIG)) !== undefined) return;
    throw runError(this.path, 'is gone: it was removed while it trained', 'Nothing more of it is kept');
  }

  /** Folders are made with the files in them. */
  mend(): Promise<void> {
    return this.check();
  }

  async save(checkpoint: Checkpoint, retention: Retention): Promise<string> {
    await this.check();
    return saveCheckpoint(this.#folder, checkpoint, retention);
  }

  latest(onDamaged?: (problem: RectiflowError) => void): Promise<StoredCheckpoint> {
    return latestCheckpoint(this.#folder, onDamaged);
  }

  /** The steps that have a checkpoint, ascending. */
  checkpoints(): Promise<number[]> {
    return wholeCheckpoints(this.#folder);
  }

  async has(path: string): Promise<boolean> {
    const state = `${path.slice(this.path.length + 1)}/${STATE}`;
    return path.startsWith(`${this.path}/`) && (await this.#folder.size(state)) !== undefined;
  }

  async storeAverages(step: number, updates: number, averages: OpenTensors): Promise<void> {
    const file = `${AVERAGES}/${stepName(step)}.safetensors`;
    const path = `${this.path}/${file}`;
    const tensors = new Map<string, StoredTensor>();
    const digests = new Map<string, string>();
    for (const name of averages.slots.keys()) {
      const read = await averages.read(name);
      const stored = storedAverage(read, isTooLarge(finiteValues(path, name, read)));
      tensors.set(name, stored);
      digests.set(name, await sha256(joined(digestedOfAverage(name, String(updates), stored))));
    }
    const bytes = encodeSafetensors(tensors, averagesMetadata(updates, digests));
    await this.#folder.write(file, [bytes]).catch(async (error: unknown) => {
      await this.#folder.remove(file).catch(() => {});
      const { problem, advice } = refusal(error, bytes.length);
      throw fileError(path, `the averages of step ${step} cannot be stored: ${problem}`, advice, error);
    });
  }

  async dropLaterAverages(step: number): Promise<void> {
    for (const name of await this.#folder.list(AVERAGES))
      if ((stepOfStored(name) ?? 0) > step) await this.#folder.remove(`${AVERAGES}/${name}`);
  }

  async noteBadStep(step: BadStep): Promise<void> {
    await this.check();
    const line = formatRecord({ ...step, finding: step.finding ?? null });
    await this.#folder.append(BAD_STEPS, new TextEncoder().encode(line)).catch(() => {});
  }
}

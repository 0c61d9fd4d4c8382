// A shared model on a backend, ready to make samples.
import type { Backend, Buffers, Disposable } from '../backends/backend.ts';
import { type CellOptions, type MadeCells, toCells } from '../data/expression/denormalize.ts';
import { expressionRecordOf } from '../data/expression/record.ts';
import { type LatentRecord, latentRecordOf, toLatents } from '../data/latents.ts';
import type { Annotation, ImageShape } from '../data/source.ts';
import { FlowSampler, type FlowSamplerOptions } from '../flow/sample.ts';
import type { ConditionValues, SamplerSettings } from '../flow/sample-request.ts';
import { LatentCodec } from '../latents/codec.ts';
import { createAutoencoder } from '../models/autoencoders/create.ts';
import type { VelocityModel } from '../models/model.ts';
import { Lifetime, disposeAll } from '../tensor/lifetime.ts';
import type { Shape } from '../tensor/shape.ts';
import { type Conditioning, conditioningOf } from '../train/conditioning.ts';
import { createModel } from '../train/create-model.ts';
import { objectiveOf } from '../train/objective.ts';
import { loadWeights } from '../train/restore.ts';
import { type ShownCells, restoreCells } from './cells.ts';
import { MANIFEST, type ShareManifest } from './manifest.ts';
import type { SharedFiles } from './read.ts';

export class SharedModel implements Disposable {
  readonly manifest: ShareManifest;
  readonly model: VelocityModel;
  /** `sampler.sample` makes samples; `onVisit` of its options sees each on its way. */
  readonly sampler: FlowSampler;
  /** Of models of gene expression that brought real cells: where those are, and means of their types. */
  readonly realCells: ShownCells | undefined;
  readonly #conditioning: Conditioning;
  readonly #decoder: { readonly codec: LatentCodec; readonly record: LatentRecord } | undefined;
  readonly #life: Lifetime;

  private constructor(
    manifest: ShareManifest,
    made: {
      readonly model: VelocityModel;
      readonly sampler: FlowSampler;
      readonly conditioning: Conditioning;
      readonly codec: LatentCodec | undefined;
      readonly realCells: ShownCells | undefined;
      readonly buffers: readonly Buffers[];
    },
  ) {
    const { model, sampler, conditioning, codec, realCells, buffers } = made;
    const record = latentRecordOf(manifest.data.record);
    this.manifest = manifest;
    this.model = model;
    this.sampler = sampler;
    this.realCells = realCells;
    this.#conditioning = conditioning;
    this.#decoder = codec && record && { codec, record };
    this.#life = new Lifetime('the shared model', () =>
      disposeAll([sampler, ...(codec ? [codec] : []), ...buffers.flatMap((each) => [...each.values()])]),
    );
  }

  /**
   * Puts a shared model onto a backend, which stays when the model is disposed of.
   * @throws RectiflowError where the manifest and what it tells of do not fit together
   */
  static async open(
    files: SharedFiles,
    backend: Backend,
    { batchSize }: Pick<FlowSamplerOptions, 'batchSize'> = {},
  ): Promise<SharedModel> {
    const { manifest, weights } = files;
    const { config, data } = manifest;
    const conditioning = conditioningOf(config.model, data.tokenizer);
    const model = createModel(config.model, conditioning.text);
    const objective = objectiveOf(config, {});
    const record = expressionRecordOf(data.record);
    const realCells =
      manifest.cells && files.cells && record && restoreCells(manifest.cells, files.cells, record);
    const buffers = [await loadWeights(backend, model, weights, MANIFEST)];
    try {
      let codec: LatentCodec | undefined;
      if (manifest.autoencoder && files.autoencoder) {
        const autoencoder = createAutoencoder(manifest.autoencoder.config);
        const own = await loadWeights(backend, autoencoder, files.autoencoder, MANIFEST);
        buffers.push(own);
        codec = new LatentCodec(backend, autoencoder, own);
      }
      const sampler = new FlowSampler(backend, model, buffers[0]!, { objective, batchSize });
      return new SharedModel(manifest, { model, sampler, conditioning, codec, realCells, buffers });
    } catch (error) {
      await disposeAll(buffers.flatMap((each) => [...each.values()]));
      throw error;
    }
  }

  /** How the run made its own samples; guidance is 1 where it has no meaning. */
  get defaults(): SamplerSettings {
    const {
      labels: _,
      prompts: __,
      perClass: ___,
      gridWeights: ____,
      ...settings
    } = this.manifest.config.sample;
    return { ...settings, guidance: this.manifest.isGuidable ? settings.guidance : 1 };
  }

  /** What the model is told of samples, by their labels or captions: `conditions` of the sampler's options. */
  conditions(annotations: readonly Annotation[], shape: Shape = this.manifest.shape): ConditionValues {
    return this.#conditioning.encode(annotations, shape);
  }

  /**
   * What samples look like: those of pictures as they are, latents decoded.
   * @param samples [N, ...shape]
   * @returns [N, C, H, W], in about [-1, 1]; undefined where they are no pictures
   */
  async pictures(
    samples: Float32Array,
    shape: Shape = this.manifest.shape,
  ): Promise<{ readonly values: Float32Array; readonly shape: ImageShape } | undefined> {
    this.#life.check();
    if (shape.length !== 3) return undefined;
    if (latentRecordOf(this.manifest.data.record) === undefined)
      return { values: samples, shape: shape as ImageShape };
    if (this.#decoder === undefined) return undefined;
    const { codec, record } = this.#decoder;
    const count = samples.length / shape.reduce((product, side) => product * side, 1);
    const decoded = await codec.decode(toLatents(samples, record, shape), [count, ...shape]);
    return { values: decoded.images, shape: decoded.shape.slice(1) as unknown as ImageShape };
  }

  /**
   * Samples of gene expression as cells, as `rectiflow sample` writes them.
   * @param samples [N, G]
   * @returns undefined where samples are no cells
   */
  cells(samples: Float32Array, options: CellOptions): MadeCells | undefined {
    const record = expressionRecordOf(this.manifest.data.record);
    return record && toCells(samples, record, options);
  }

  /** What it holds on the backend. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }
}

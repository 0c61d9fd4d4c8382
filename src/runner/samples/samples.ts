import type { Annotation, ImageShape } from '../../data/source.ts';
import type { DataRecord } from '../../known/data-record.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Provenance } from './provenance.ts';

export interface Samples {
  /** [N, ...shape], row-major, those of one label or prompt together. Images are in about [-1, 1]. */
  readonly values: Float32Array;
  /** Of one sample: [C, H, W] for images, [G] for gene expression. */
  readonly shape: Shape;
  /** What latents are decoded to: [N, ...shape], of [C, H, W]. */
  readonly pictures?: { readonly values: Float32Array; readonly shape: ImageShape };
  /** The label or the caption of each sample, empty for a model without. */
  readonly annotations: readonly Annotation[];
  /** What the model knows of the data it was trained on: what classes are called, and what values mean. */
  readonly data: DataRecord;
  /** The checkpoint that they were made with. */
  readonly step: number;
  /** With what; files of samples keep it. */
  readonly made?: Provenance;
}

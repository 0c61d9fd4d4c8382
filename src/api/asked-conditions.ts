import type { Annotation, ImageShape, Placement } from '../data/source.ts';
import type { ConditionValues } from '../flow/sample-request.ts';
import { valueError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import { type Conditioning, encodeSizes } from '../train/conditioning.ts';

export interface AskedConditions {
  /** Samples. */
  readonly count: number;
  /** Of each. */
  readonly shape: Shape;
  /** Of a model that is told sizes and crops: what is not as by default. */
  readonly placement?: Partial<Placement> | undefined;
}

/**
 * What the model is told of the samples; nothing where there are no rows, but for sizes and crops that are asked for.
 * @throws RectiflowError where those are asked for, and it is told none
 */
export function conditionsOf(
  conditioning: Conditioning,
  annotations: readonly Annotation[],
  { count, shape, placement }: AskedConditions,
): { readonly conditions?: ConditionValues } {
  const isTold = annotations.length > 0;
  if (placement === undefined) return isTold ? { conditions: conditioning.encode(annotations, shape) } : {};
  if (!conditioning.placement) {
    const wanted = 'left out: the model is not told sizes and crops (model.sizeConditioning)';
    throw valueError('sample', 'placement', wanted, JSON.stringify(placement));
  }
  const [, height, width] = shape as ImageShape;
  const placed: Placement = { original: [height, width], crop: [0, 0], ...placement };
  const placedAnnotations = annotations.map((each) => ({ ...each, placement: placed }));
  if (isTold) return { conditions: conditioning.encode(placedAnnotations, shape) };
  return {
    conditions: encodeSizes(
      Array.from({ length: count }, () => ({ placement: placed })),
      shape,
    ),
  };
}

// Subgroup matrices, as adapters tell of them: an experiment of Chromium's and of Dawn's, which is asked for by a setting.
import type { Precision } from '../backend.ts';
import { RectiflowError } from '../../tensor/errors.ts';

export const matrixFeature = 'chromium-experimental-subgroup-matrix';

/** left [M, K] right [K, N], of numbers of a kind, summed in float32. */
export interface MatrixShape {
  readonly component: 'f16' | 'f32';
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What products by subgroup matrices are made of. */
export interface Matrices {
  /** Invocations of a subgroup, at most. */
  readonly largest: number;
  /** Of a kind of numbers one at most. */
  readonly shapes: readonly MatrixShape[];
}

/** One that an adapter lists, in WebGPU's words. */
export interface ListedMatrix {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Extents of which the tiles of a workgroup are multiples, within the memory of one. */
const isFit = ({ componentType, M, N, K }: ListedMatrix): boolean =>
  [8, 16].includes(M) &&
  [8, 16].includes(N) &&
  [4, 8, 16, ...(componentType === 'f16' ? [32] : [])].includes(K);

/** @returns for each kind of numbers the largest that a product can be made of */
export function usableShapes(listed: readonly ListedMatrix[], hasFloat16: boolean): MatrixShape[] {
  const usable = listed.filter((each) => each.resultComponentType === 'f32' && isFit(each));
  return (['f16', 'f32'] as const).flatMap((component) => {
    const own = usable.filter(
      ({ componentType }) => componentType === component && (component === 'f32' || hasFloat16),
    );
    const [best] = own.toSorted((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
    return best ? [{ component, M: best.M, N: best.N, K: best.K }] : [];
  });
}

const instead = 'Set backend.subgroupMatrices to false';

/** @throws RectiflowError where an adapter has no feature for it, or lists nothing that products can be made of */
export function checkMatrices(
  name: string,
  features: ReadonlySet<string>,
  listed: readonly ListedMatrix[],
): void {
  const missing = [matrixFeature, 'subgroups'].filter((feature) => !features.has(feature));
  if (missing.length > 0)
    throw refusal(`${name} does not have ${missing.join(' and ')} among its features here. ${instead}`);
  if (usableShapes(listed, features.has('shader-f16')).length > 0) return;
  const kinds = listed.map(
    ({ componentType, resultComponentType, M, N, K }) =>
      `${componentType} to ${resultComponentType} of M ${M}, N ${N}, K ${K}`,
  );
  const what = kinds.length === 0 ? 'lists none' : `lists only ${kinds.join('; ')}`;
  throw refusal(
    `${name} ${what}. Products take those of f32 or f16 (with shader-f16), summed to f32, of M and N of 8 or 16 and K of 4 to 16, or 32 in f16. ${instead}`,
  );
}

/** @throws RectiflowError where none of the shapes is for a precision */
export function matricesFor(
  precision: Precision,
  name: string,
  { largest, shapes }: Partial<Matrices>,
): Matrices {
  if (shapes === undefined || largest === undefined)
    throw refusal(`the device ${name} was opened without them. ${instead}, or open it with subgroupMatrices`);
  // bfloat16 has a larger range than float16.
  if (precision === 'fp16' || shapes.some(({ component }) => component === 'f32')) return { largest, shapes };
  throw refusal(
    `${name} multiplies matrices of f16 only, whose range is too small for precision ${precision}. ${instead}, or train.precision to fp16`,
  );
}

function refusal(text: string): RectiflowError {
  return new RectiflowError('backend', `webgpu: subgroupMatrices is true, and ${text}`);
}

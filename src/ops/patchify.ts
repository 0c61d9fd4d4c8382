// Images to tokens and back. The two orders differ on purpose: a patch's pixels are (channel, row, column), as the kernel of
// a strided convolution has them, while a token's output is (row, column, channel). Both follow the public DiT release.
import { RectiflowError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Fused, apply1, checkRank, checkShape, float32 } from './op.ts';
import { reshape } from './reshape.ts';
import { transpose } from './transpose.ts';

type Patchify = { patch: number };
type Unpatchify = { patch: number; channels: number; height: number; width: number };

/** The number of patches along each side. */
function grid(op: string, height: number, width: number, patch: number): [rows: number, columns: number] {
  if (!Number.isInteger(patch) || patch < 1 || height % patch !== 0 || width % patch !== 0) {
    throw new RectiflowError(
      'shape',
      `${op}: the image's height and width must be multiples of the patch size ${patch}, got ${height} x ${width}: ` +
        `resize or pad the images, or choose a patch size that divides both`,
    );
  }
  return [height / patch, width / patch];
}

export const patchifyOp: Fused<Patchify> = {
  kind: 'fused',
  name: 'patchify',
  infer([x], { patch }) {
    checkRank('patchify', 'x', '[B, C, H, W]', 4, x!.shape);
    const [B, C, H, W] = x!.shape as [number, number, number, number];
    const [rows, columns] = grid('patchify', H, W, patch);
    return [float32([B, rows * columns, C * patch * patch])];
  },
  decompose([x], { patch: p }) {
    const [B, C, H, W] = x!.shape as [number, number, number, number];
    const [rows, columns] = [H / p, W / p];
    const patches = transpose(reshape(x!, [B, C, rows, p, columns, p]), [0, 2, 4, 1, 3, 5]);
    return [reshape(patches, [B, rows * columns, C * p * p])];
  },
};

export const unpatchifyOp: Fused<Unpatchify> = {
  kind: 'fused',
  name: 'unpatchify',
  infer([tokens], { patch, channels, height, width }) {
    const [rows, columns] = grid('unpatchify', height, width, patch);
    const B = tokens!.shape[0]!;
    const wanted = [B, rows * columns, patch * patch * channels];
    checkShape('unpatchify', 'tokens', '[B, N, p p C]', wanted, tokens!.shape);
    return [float32([B, channels, height, width])];
  },
  decompose([tokens], { patch: p, channels: C, height, width }) {
    const B = tokens!.shape[0]!;
    const pixels = reshape(tokens!, [B, height / p, width / p, p, p, C]);
    return [reshape(transpose(pixels, [0, 5, 1, 3, 2, 4]), [B, C, height, width])];
  },
};

/** x [B, C, H, W] -> [B, (H / p) (W / p), C p p]; tokens in rows, pixels of a patch in (C, p, p) order. */
export function patchify(x: Tensor, patch: number): Tensor {
  return apply1(patchifyOp, [x], { patch });
}

/** tokens [B, (H / p) (W / p), p p C] -> [B, C, H, W]; a token's values are in (p, p, C) order. */
export function unpatchify(
  tokens: Tensor,
  patch: number,
  [C, H, W]: readonly [number, number, number],
): Tensor {
  return apply1(unpatchifyOp, [tokens], { patch, channels: C, height: H, width: W });
}

import { describe, expect, it } from 'vitest';
import { crossAttention, mul, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { type Argument, type Case, conformance } from '../support/conformance.ts';
import { float32Backends } from '../support/backends.ts';
import { randomValues } from '../support/random.ts';

/** queries, keys, heads, head width; the keys that each sample has */
const sizes = [
  { N: 1, M: 1, H: 1, d: 1, lengths: [1] },
  { N: 2, M: 65, H: 3, d: 8, lengths: [64, 1, 0, 65] },
  { N: 31, M: 33, H: 2, d: 20, lengths: [33, 32, 7] },
  { N: 33, M: 31, H: 1, d: 128, lengths: [31, 0] },
  { N: 64, M: 77, H: 4, d: 32, lengths: [9, 77] },
  { N: 65, M: 2, H: 2, d: 48, lengths: [1, 2] },
  { N: 1, M: 130, H: 1, d: 72, lengths: [129] },
  { N: 130, M: 257, H: 1, d: 17, lengths: [255, 128] },
  { N: 257, M: 64, H: 2, d: 64, lengths: [63] },
  // Lengths outside of [0, M] count as 0 and M.
  { N: 3, M: 4, H: 1, d: 4, lengths: [-1, 5, 2_000_000_000, -2_000_000_000] },
] as const;

/** The gradient of q is rounding error alone where every sample has one key, so this size is for the gradient op. */
const singleKey = { N: 31, M: 1, H: 2, d: 5, lengths: [0, 1] } as const;

/** Where every key exists, nothing but a share of 0 hides a number. */
const allKeys = [
  { N: 33, M: 31, H: 2, d: 20, lengths: [31, 31] },
  { N: 65, M: 2, H: 2, d: 48, lengths: [2] },
  { N: 3, M: 130, H: 1, d: 72, lengths: [130, 130] },
] as const;
const hides = [{ inputs: [0, 1, 4], numbers: 'infinity', why: 'a share may be 0' }] as const;

type Size = (typeof sizes)[number] | (typeof allKeys)[number] | typeof singleKey;

function inputs({ N, M, H, d, lengths }: Size): Argument[] {
  const B = lengths.length;
  return [
    { shape: [B, N, H * d], value: (u) => 2 * u },
    { shape: [B, M, 2 * H * d], value: (u) => 2 * u },
    { shape: [B], dtype: 'int32', value: (_, i) => lengths[i]! },
  ];
}

const forward = (size: Size): Case => ({ inputs: inputs(size), attributes: { heads: size.H } });

function backward(size: Size): Case {
  const { N, M, H, d, lengths } = size;
  const B = lengths.length;
  const keys = (sample: number): number => Math.max(1, Math.min(M, lengths[sample]!));
  return {
    inputs: [
      ...inputs(size),
      { shape: [B, N, H * d] },
      // A log-sum-exp of a sample's scores, none of which is larger.
      { shape: [B, H, N], value: (u, i) => Math.log(keys(Math.floor(i / (H * N)))) + 4 + 0.1 * u },
      { shape: [B, N, H * d] },
    ],
    attributes: { heads: H },
  };
}

conformance('crossAttention', sizes.map(forward), { differentiable: [0] });
conformance('crossAttention', allKeys.map(forward), { differentiable: [0], hides });
conformance('crossAttentionGrad', [...sizes, singleKey].map(backward));
conformance('crossAttentionGrad', allKeys.map(backward), { hides });

describe('padding', () => {
  const [N, M, H, d] = [33, 31, 2, 16];
  const lengths = [0, 7, 30];
  const shapes = { q: [3, N, H * d], kv: [3, M, 2 * H * d] };
  const program = trace('padded', (graph) => {
    const q = graph.input('q', shapes.q);
    const kv = graph.input('kv', shapes.kv);
    const o = crossAttention(q, kv, graph.input('lengths', [3], 'int32'), H);
    const loss = sum(mul(o, o));
    const [dq, dkv] = grad(loss, [q, kv]);
    return { o, dq: dq!, dkv: dkv! };
  });
  const q = randomValues(3 * N * H * d, 1);
  const kv = randomValues(3 * M * 2 * H * d, 2);
  const isPadding = (i: number): boolean => {
    const [sample, key] = [Math.floor(i / (M * 2 * H * d)), Math.floor(i / (2 * H * d)) % M];
    return key >= lengths[sample]!;
  };

  for (const { label, create, skip } of float32Backends()) {
    const title = `has no influence and no gradient on ${label}${skip ? ` (skipped: ${skip})` : ''}`;
    it.skipIf(skip !== undefined)(title, async () => {
      const executable = await create().compile(program, new Map());
      const run = async (padding: number) => {
        await executable.run({
          q: Float32Array.from(q),
          kv: Float32Array.from(kv, (x, i) => (isPadding(i) ? padding : x)),
          lengths: Int32Array.from(lengths),
        });
        const { o, dq, dkv } = await executable.read(['o', 'dq', 'dkv']);
        return { o: Array.from(o), dq: Array.from(dq), dkv: Array.from(dkv) };
      };
      const zeros = await run(0);
      expect(await run(1e4)).toEqual(zeros);
      expect(zeros.o.slice(0, N * H * d).every((x) => x === 0)).toBe(true);
      expect(zeros.dq.slice(0, N * H * d).every((x) => x === 0)).toBe(true);
      expect(zeros.dkv.every((x, i) => (x === 0) === isPadding(i))).toBe(true);
    });
  }
});

describe('names what does not fit:', () => {
  const build = ({ kv = [2, 77, 768], lengths = [2], dtype = 'int32' as 'int32' | 'float32', heads = 6 }) =>
    trace('wrong', (graph) => ({
      y: crossAttention(
        graph.input('q', [2, 16, 384]),
        graph.input('kv', kv),
        graph.input('lengths', lengths, dtype),
        heads,
      ),
    }));

  it('heads', () => {
    const problem = 'crossAttention: heads must be a positive integer that divides D = 384, got 5';
    expect(() => build({ heads: 5 })).toThrow(problem);
  });

  it('keys and values', () => {
    const problem = 'crossAttention: kv must be [B, M, 2D] = [2, 77, 768], got [2, 77, 384]';
    expect(() => build({ kv: [2, 77, 384] })).toThrow(problem);
    expect(() => build({ kv: [2, 768] })).toThrow(
      'crossAttention: kv must be [B, M, 2D] (3 axes), got [2, 768]',
    );
  });

  it('lengths', () => {
    expect(() => build({ lengths: [3] })).toThrow('crossAttention: lengths must be [B] = [2], got [3]');
    expect(() => build({ dtype: 'float32' })).toThrow('crossAttention: lengths must be int32, got float32');
  });
});

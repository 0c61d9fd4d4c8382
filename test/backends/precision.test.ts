import { describe, expect, it } from 'vitest';
import { precisionPass } from '../../src/backends/precision.ts';
import { cast, linear, neg } from '../../src/ops/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { Half } from '../../src/tensor/dtype.ts';
import { testBackends } from '../support/backends.ts';

const program = trace('layers', (graph) => {
  const w = graph.input('w', [4, 4]);
  return { y: linear(linear(graph.input('x', [2, 4]), w), w) };
});
const holds = (made: Program, what: string): boolean => String(made).includes(what);

describe('half precision', () => {
  it.each([
    ['bf16', 'bfloat16'],
    ['fp16', 'float16'],
  ] as const)('is stored in the type of %s, where the backend has it', (precision, half) => {
    const other: Half = half === 'float16' ? 'bfloat16' : 'float16';
    const made = precisionPass('test', precision, ['bfloat16', 'float16'])(program);
    expect(holds(made, ` ${half} [2, 4]`)).toBe(true);
    expect(holds(made, ` ${other} [`)).toBe(false);
    expect(holds(made, 'roundToFloat16')).toBe(false);
  });

  it('is emulated where float16 is wanted and not stored', () => {
    const made = precisionPass('test', 'fp16', ['bfloat16'])(program);
    expect(holds(made, 'roundToFloat16')).toBe(true);
    expect(holds(made, ' float16 [')).toBe(false);
  });

  it('is refused where bfloat16 is wanted and not stored, and where there is none of that name', () => {
    expect(() => precisionPass('test', 'bf16', ['float16'])).toThrow(
      'test: stores no bfloat16; set the precision to fp32 or fp16',
    );
    expect(() => precisionPass('test', 'fp8' as 'fp16', [])).toThrow(
      'test: precision must be one of fp32, bf16, fp16, got fp8',
    );
  });

  const asked = trace('asked', (graph) => ({
    y: neg(cast(cast(graph.input('x', [2]), 'float16'), 'float32')),
  }));
  for (const { label, create, skip, halves } of testBackends()) {
    if (halves?.includes('float16')) continue;
    it.skipIf(skip !== undefined)(
      `is refused on ${label} where a program asks for float16${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        await expect(create().compile(asked, new Map())).rejects.toThrow(
          'program asked: value %1 is float16, and cpu computes with float32, bfloat16, int32 only',
        );
      },
    );
  }
});

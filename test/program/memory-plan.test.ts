import fc from 'fast-check';
import { expect, it } from 'vitest';
import { add, linear, neg, reshape, sum } from '../../src/ops/index.ts';
import { type Program, grad, planMemory, trace } from '../../src/program/index.ts';
import { planPieces } from '../../src/program/memory-plan.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** A program whose every node reads values chosen by `choices` among those there are. */
function randomProgram(choices: readonly (readonly [number, number, number])[]): Program {
  return trace('random', (graph) => {
    const values: Tensor[] = [graph.input('x', [40])];
    const pick = (choice: number): Tensor => values[choice % values.length]!;
    for (const [kind, a, b] of choices) {
      if (kind === 0) values.push(reshape(reshape(pick(a), [2, 20]), [40]));
      else values.push(kind === 1 ? neg(pick(a)) : add(pick(a), pick(b)));
    }
    return { last: values.at(-1)!, total: sum(pick(choices.length >> 1)) };
  });
}

it('never gives two values that live at the same time the same memory', () => {
  const choice = fc.tuple(fc.nat(2), fc.nat(1000), fc.nat(1000));
  fc.assert(
    fc.property(fc.array(choice, { minLength: 1, maxLength: 40 }), (choices) => {
      const { placements, arenaBytes } = planMemory(randomProgram(choices));
      for (const [i, a] of placements.entries()) {
        expect(a.offset % 64).toBe(0);
        expect(a.offset + a.bytes).toBeLessThanOrEqual(arenaBytes);
        for (const b of placements.slice(i + 1)) {
          const together = a.first <= b.last && b.first <= a.last;
          const overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
          expect(together && overlap).toBe(false);
        }
      }
    }),
    { numRuns: 200 },
  );
});

it('places no value across two pieces of the arena', () => {
  const choice = fc.tuple(fc.nat(2), fc.nat(1000), fc.nat(1000));
  fc.assert(
    fc.property(
      fc.array(choice, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 3, max: 9 }).map((lines) => 64 * lines),
      (choices, piece) => {
        const { placements } = planPieces(randomProgram(choices), piece);
        for (const { offset, bytes } of placements)
          expect(Math.floor((offset + bytes - 1) / piece)).toBe(Math.floor(offset / piece));
      },
    ),
    { numRuns: 200 },
  );
});

it('reuses the memory of values that are no longer needed', () => {
  const program = trace('chain', (graph) => {
    let x = graph.input('x', [1000]);
    for (let i = 0; i < 10; i++) x = neg(x);
    return { y: x };
  });
  const plan = planMemory(program);
  expect(plan.arenaBytes).toBe(2 * 4032);
  expect(plan.toString()).toContain('arena of chain: 8064 bytes for 40320 bytes of values');
});

it('keeps what a reshape was taken of for as long as the reshape is read', () => {
  const program = trace('alias', (graph) => {
    const x = neg(graph.input('x', [16]));
    const view = reshape(x, [4, 4]);
    const other = neg(neg(reshape(view, [16])));
    return { y: add(reshape(view, [16]), other) };
  });
  const plan = planMemory(program);
  const x = program.nodes[0]!.outputs[0]!;
  expect(plan.locate(program.nodes[2]!.outputs[0]!)).toEqual({ memory: x, start: 0 });
  const placed = plan.placements.find(({ tensor }) => tensor === x)!;
  expect(placed.last).toBe(program.nodes.findIndex(({ op }) => op.name === 'add'));
});

it('has no place for what only a gradient would need where there is no gradient', () => {
  const build = (differentiated: boolean): Program =>
    trace('layer', (graph) => {
      const w = graph.stateful('w', [4, 3]);
      const y = linear(graph.input('x', [2, 3]), w, undefined, 'gelu');
      return differentiated ? { dw: grad(sum(y), [w])[0]! } : { y };
    });
  const derivative = (program: Program): Tensor => program.nodes[0]!.outputs[1]!;
  for (const differentiated of [false, true]) {
    const program = build(differentiated);
    const { leftOut, placements } = planMemory(program);
    expect(leftOut.has(derivative(program))).toBe(!differentiated);
    expect(placements.some(({ tensor }) => tensor === derivative(program))).toBe(differentiated);
  }
});

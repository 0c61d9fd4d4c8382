import { beforeAll, describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { float32Backends, testBackends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import {
  type Golden,
  type GoldenRun,
  goldenRun,
  goldenStep,
  loadGolden,
  numbers,
} from '../support/golden.ts';

let golden: Golden;
beforeAll(async () => {
  golden = await loadGolden();
});

function checkLosses({ losses }: GoldenRun, tolerance: number): void {
  const wanted = numbers(golden.run, 'loss');
  expect(losses).toHaveLength(wanted.length);
  losses.forEach((loss, i) => {
    expect(Math.abs(loss / wanted[i]! - 1), `relative error of loss ${i + 1}`).toBeLessThan(tolerance);
  });
}

function checkState({ state }: GoldenRun, stored: string, prefix: string, tolerance: number): void {
  for (const { name } of golden.model.parameters) {
    const wanted = numbers(golden.runEnd, `${stored}.${name}`);
    expect(
      relativeError(state.get(prefix + name)!, wanted),
      `relative error of ${prefix}${name}`,
    ).toBeLessThan(tolerance);
  }
}

function checkStep(outputs: ReadonlyMap<string, HostArray>): void {
  expect(relativeError(outputs.get('velocity')!, numbers(golden.step, 'velocity'))).toBeLessThan(1e-5);
  expect(relativeError(outputs.get('loss')!, numbers(golden.step, 'loss'))).toBeLessThan(1e-6);
  for (const { name } of golden.model.parameters) {
    const error = relativeError(outputs.get(`grad/${name}`)!, numbers(golden.step, `grad.${name}`));
    expect(error, `relative error of the gradient of ${name}`).toBeLessThan(1e-4);
  }
}

/** The reference needs seconds for the run, and more where it shares the machine. */
const runTimeout = 240_000;

it("PyTorch's DiT on reference in float64 has the same velocity, loss and gradients", async () => {
  checkStep(await goldenStep(golden, referenceBackend({ float: 'float64' })));
});

for (const { label, create, skip } of float32Backends()) {
  describe.skipIf(skip !== undefined)(`PyTorch's DiT on ${label}${skip ? ` (skipped: ${skip})` : ''}`, () => {
    it('has the same velocity, loss and gradients', async () => {
      checkStep(await goldenStep(golden, create()));
    });

    it(
      'trains for 20 steps along the same curve to the same weights',
      async () => {
        const run = await goldenRun(golden, create());
        checkLosses(run, 1e-5);
        expect(relativeError(run.gradNorms, numbers(golden.run, 'grad_norm'))).toBeLessThan(1e-4);
        checkState(run, 'model', '', 1e-4);
        checkState(run, 'ema', 'ema/', 1e-4);
      },
      runTimeout,
    );
  });
}

for (const { label, create, skip } of testBackends()) {
  describe.skipIf(skip !== undefined)(
    `PyTorch's DiT in bf16 on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
    () => {
      it('has nearly the same velocity', async () => {
        const outputs = await goldenStep(golden, create('bf16'));
        expect(relativeError(outputs.get('velocity')!, numbers(golden.step, 'velocity'))).toBeLessThan(2e-2);
      });

      it(
        'trains along nearly the same curve',
        async () => {
          checkLosses(await goldenRun(golden, create('bf16')), 2e-2);
        },
        runTimeout,
      );
    },
  );
}

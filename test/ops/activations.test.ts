import { conformance } from '../support/conformance.ts';

const cases = [[1], [31], [4, 33], [7, 257]].map((shape) => ({
  inputs: [{ shape, value: (u: number) => 6 * u }],
}));

conformance('gelu', cases);
conformance('geluDerivative', cases);
conformance('silu', cases);
conformance('siluDerivative', cases);

conformance(
  'activationGrad',
  [1, 2, 3].flatMap((activation) =>
    cases.map(({ inputs: [z] }) => ({
      inputs: [{ shape: z!.shape }, z!],
      attributes: { activation },
    })),
  ),
);

// The cases as programs of this package.
import { type Backend, type Graph, type Tensor, grad, ops, trace } from 'rectiflow/core';
import { type Case, type Side, headWidth } from './cases.ts';

const {
  add,
  affine,
  assign,
  attention,
  gatedResidual,
  layerNormModulate,
  linear,
  meanSquaredError,
  mul,
  reshape,
  slice,
  sum,
} = ops;

type Named = Readonly<Record<string, Tensor>>;

const learningRate = 1e-3;

function mlpLoss({ x, target, w1, w2 }: Named): Tensor {
  return meanSquaredError(linear(linear(x!, w1!, undefined, 'gelu'), w2!), target!);
}

function blockLoss({ x, modulation, qkv, out, w1, w2 }: Named): Tensor {
  const [B, , D] = x!.shape as [number, number, number];
  const part = (i: number): Tensor => reshape(slice(modulation!, 1, i * D, D), [B, D]);
  const attended = linear(
    attention(linear(layerNormModulate(x!, part(0), part(1)), qkv!), D / headWidth),
    out!,
  );
  const h = gatedResidual(x!, attended, part(2));
  const hidden = linear(layerNormModulate(h, part(3), part(4)), w1!, undefined, 'gelu');
  const y = gatedResidual(h, linear(hidden, w2!), part(5));
  return affine(sum(mul(y, y)), 1 / (x!.shape[0]! * x!.shape[1]! * D), 0);
}

/** @returns a number that all that is computed has a part in */
function build(graph: Graph, { kind, inputs }: Case): Tensor {
  const stateful = new Set(kind === 'mlp' ? ['w1', 'w2'] : Object.keys(inputs));
  const named: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(inputs))
    named[name] = stateful.has(name) ? graph.stateful(name, shape) : graph.input(name, shape);
  if (kind === 'product') return sum(linear(named['x']!, named['w']!));
  if (kind === 'mlp') {
    const loss = mlpLoss(named);
    const weights = [named['w1']!, named['w2']!];
    grad(loss, weights).forEach((gradient, i) =>
      assign(weights[i]!, add(weights[i]!, affine(gradient, -learningRate, 0))),
    );
    return loss;
  }
  const loss = blockLoss(named);
  return grad(loss, Object.values(named)).reduce((total, gradient) => add(total, sum(gradient)), loss);
}

export function ours(backend: Backend): Side {
  return async (of, numbers) => {
    const program = trace(of.kind, (graph) => ({ result: build(graph, of) }));
    const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
    for (const [name, buffer] of buffers) await buffer.write(numbers[name]!);
    const inputs = Object.fromEntries(program.inputs.map(({ name }) => [name!, numbers[name!]!]));
    const executable = await backend.compile(program, buffers);
    return {
      async run() {
        await executable.run(inputs);
        return (await executable.read(['result'])).result[0]!;
      },
    };
  };
}

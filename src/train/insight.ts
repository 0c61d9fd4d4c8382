// What a step did, told by the state that it left behind: a program of its own, which runs only when a step is logged.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { add, div, globalNorm, mul, sqrt, sub } from '../ops/index.ts';
import type { AdamWSettings, DecayedParameters } from '../optim/adamw.ts';
import { isDecayed } from '../optim/adamw.ts';
import { type Program, trace } from '../program/index.ts';
import { statePrefixes } from './step.ts';
import { stack } from './step-outputs.ts';

export interface InsightOptions {
  readonly model: Module;
  readonly adamw: AdamWSettings;
  readonly decayed: DecayedParameters;
}

/** How far apart the sets of weights of a run are, each in proportion to the norm of the weights. */
export interface Distances {
  /** From the weights before the step to those after it. */
  readonly updateRatio: number;
  /** From the weights to their average. */
  readonly emaDistance: number;
}

/**
 * Norms of each parameter, [P] each: `weights`, `averages` (their distance from the average), and `updates`, that of
 * m / (sqrt(v) + epsilon) + decay * weights, which the last step was a multiple of.
 *
 * Inputs: epsilon [] and decay []. State: that of the training step, which is only read.
 */
export function insightProgram({ model, adamw, decayed }: InsightOptions): Program {
  return trace('insight', (graph) => {
    const epsilon = graph.input('epsilon', []);
    const decay = graph.input('decay', []);
    // One parameter after the other: what is made on the way is gone before the next.
    const norms = model.parameters.map(({ name, shape }) => {
      const [weights, m, v, ema] = ['', statePrefixes.m, statePrefixes.v, statePrefixes.ema].map((prefix) =>
        graph.stateful(prefix + name, shape),
      );
      const direction = div(m!, add(sqrt(v!), epsilon));
      const decays = adamw.weightDecay > 0 && isDecayed(shape, decayed);
      return {
        weights: globalNorm([weights!]),
        averages: globalNorm([sub(ema!, weights!)]),
        updates: globalNorm([decays ? add(direction, mul(weights!, decay)) : direction]),
      };
    });
    return {
      weights: stack(norms.map(({ weights }) => weights)),
      averages: stack(norms.map(({ averages }) => averages)),
      updates: stack(norms.map(({ updates }) => updates)),
    };
  });
}

export class Insight {
  readonly #options: InsightOptions;
  readonly #executable: Executable;

  private constructor(executable: Executable, options: InsightOptions) {
    this.#options = options;
    this.#executable = executable;
  }

  /** @param buffers the training step's state */
  static async compile(backend: Backend, buffers: Buffers, options: InsightOptions): Promise<Insight> {
    return new Insight(await backend.compile(insightProgram(options), buffers), options);
  }

  /** The state stays as it is. */
  dispose(): Promise<void> {
    return this.#executable.dispose();
  }

  /**
   * What the step that ran last did. AdamW turns weights w before a step into (1 - rate decay) w - rate u, with
   * u = (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon), so that the weights after it tell the change as well:
   * -rate (u + decay w) / (1 - rate decay).
   */
  async measure(step: number, learningRate: number): Promise<Distances> {
    const { model, adamw, decayed } = this.#options;
    const { beta1, beta2, epsilon, weightDecay } = adamw;
    const correction = Math.sqrt(1 - beta2 ** step);
    const size = correction / (1 - beta1 ** step);
    await this.#executable.run({
      epsilon: Float32Array.of(epsilon * correction),
      decay: Float32Array.of(weightDecay / size),
    });
    const norms = await this.#executable.read(['weights', 'averages', 'updates']);
    const weights = Math.hypot(...norms.weights);
    const averages = Math.hypot(...norms.averages);
    const updates = norms.updates.map((norm, i) =>
      isDecayed(model.parameters[i]!.shape, decayed) ? norm / (1 - learningRate * weightDecay) : norm,
    );
    return {
      updateRatio: (learningRate * size * Math.hypot(...updates)) / weights,
      emaDistance: averages / weights,
    };
  }
}

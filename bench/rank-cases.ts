// What ranks are measured with.
import { type RunConfig, resolveConfig } from 'rectiflow';
import { type Case, caseByName } from './cases.ts';

const cases = {
  's-256': () => caseByName('s-256'),
  /** Steps of milliseconds: to try the measurement itself. */
  small: () => ({
    title: 'a DiT of 64 tokens, 128 wide, 2 blocks, batch 16',
    config: resolveConfig({
      data: { source: 'custom' },
      model: { width: 128, depth: 2, heads: 2, patchSize: 2, channels: 4, imageSize: 16, classes: 10 },
      train: { batchSize: 16 },
    }),
  }),
} satisfies Record<string, () => Case>;

export const rankCaseNames = Object.keys(cases) as (keyof typeof cases)[];

/** @param shards into which the samples of a step are divided */
export function rankCase(name: string, shards: number): Case {
  const { title, config } = cases[name as keyof typeof cases]();
  return { title, config: withShards(config, shards) };
}

function withShards(config: RunConfig, shards: number): RunConfig {
  return { ...config, train: { ...config.train, shards } };
}

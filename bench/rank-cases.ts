// What ranks are measured with.
import { type RunConfig, resolveConfig } from 'rectiflow';
import { type Case, caseByName } from './cases.ts';

const cases = {
  's-256': () => caseByName('s-256'),
  /** Of fewer operations for as many parameters. */
  'm-64': () =>
    latentCase('64 tokens, 384 wide, 6 blocks', { width: 384, depth: 6, heads: 6, imageSize: 16 }, 32),
  'wide-16': () =>
    latentCase('16 tokens, 768 wide, 2 blocks', { width: 768, depth: 2, heads: 12, imageSize: 8 }, 64),
  /** Steps of milliseconds: to try the measurement itself. */
  small: () =>
    latentCase('64 tokens, 128 wide, 2 blocks', { width: 128, depth: 2, heads: 2, imageSize: 16 }, 16),
} satisfies Record<string, () => Case>;

interface Size {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly imageSize: number;
}

function latentCase(size: string, model: Size, batchSize: number): Case {
  const config = resolveConfig({
    data: { source: 'custom' },
    model: { ...model, patchSize: 2, channels: 4, classes: 10 },
    train: { batchSize },
  });
  return { title: `a DiT of ${size}, batch ${batchSize}`, config };
}

export const rankCaseNames = Object.keys(cases) as (keyof typeof cases)[];

/** @param shards into which the samples of a step are divided */
export function rankCase(name: string, shards: number): Case {
  const { title, config } = cases[name as keyof typeof cases]();
  return { title, config: withShards(config, shards) };
}

function withShards(config: RunConfig, shards: number): RunConfig {
  return { ...config, train: { ...config.train, shards } };
}

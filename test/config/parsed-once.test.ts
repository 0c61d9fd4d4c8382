// Settings are parsed where they come in, once; from then on a type says that they were.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { ParsedConfig, resolveConfig } from '../../src/config/resolve-config.ts';
import { parseSettings } from '../../src/config/schema.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

vi.mock('../../src/config/schema.ts', async (actual) => {
  const schema = await actual<typeof import('../../src/config/schema.ts')>();
  return { ...schema, parseSettings: vi.fn<typeof schema.parseSettings>(schema.parseSettings) };
});

const parsings = vi.mocked(parseSettings);
beforeEach(() => void parsings.mockClear());

const options = { source: stripes(), backend: referenceBackend() };

it('a run that a file describes has its config parsed once, and once more where a record of it is read', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'stripes.json');
  const settings = { ...tinyStripes, train: { ...tinyStripes.train, steps: 2 } };
  await writeFile(file, JSON.stringify(settings));
  const { parsed, config } = await loadConfig(file);
  const { run } = await train(parsed, { ...options, runs: folder });
  expect(parsings.mock.calls).toEqual([[config, file]]);

  parsings.mockClear();
  await resume(run, options);
  const origins = parsings.mock.calls.map(([, origin]) => origin);
  // The config may have been edited since: what the checkpoint was trained with is compared with it.
  expect(origins).toEqual([join(run, 'config.json'), join(run, 'checkpoints', 'step-0000002')]);

  parsings.mockClear();
  await sample(run, { backend: options.backend, count: 1, labels: [1] });
  expect(parsings).toHaveBeenCalledTimes(1);
});

it('is not parsed again by whoever is handed it', async () => {
  const parsed = ParsedConfig.of(tinyStripes, 'a.yaml');
  expect(ParsedConfig.of(parsed)).toBe(parsed);
  expect(resolveConfig(parsed)).toEqual(resolveConfig(tinyStripes));
  parsings.mockClear();
  await checkData(parsed, { source: options.source });
  expect(parsings).not.toHaveBeenCalled();
});

it('names in errors what it was parsed from', () => {
  const wrong = ParsedConfig.of({ ...tinyStripes, sample: { labels: [7] } }, 'a.yaml');
  expect(() => wrong.resolve()).toThrow(/^a\.yaml: .*sample\.labels\.0: wanted a label below 3, found 7/);
  expect(() => ParsedConfig.of({ data: { source: 'emojis' } } as never, 'b.yaml')).toThrow(/^b\.yaml: /);
});

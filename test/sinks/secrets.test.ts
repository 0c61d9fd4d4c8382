import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { startPeer } from '../support/http-peer.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const key = '0123456789abcdef0123456789abcdef01234567';
const backend = referenceBackend();

afterEach(() => {
  vi.unstubAllEnvs();
});

function problemOf(sinks: unknown): string {
  try {
    resolveConfig({ ...tinyStripes, sinks } as ConfigInput);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the config was not refused');
}

describe('the settings of sinks', () => {
  it('are TensorBoard alone by default', () => {
    expect(resolveConfig(tinyStripes).sinks).toEqual({ tensorboard: true });
    const sinks = {
      tensorboard: false,
      wandb: { project: 'digits', entity: 'anna', url: 'https://wandb.example.org/' },
      mlflow: { url: 'http://localhost:5000', experiment: 'digits' },
    };
    expect(resolveConfig({ ...tinyStripes, sinks }).sinks).toEqual(sinks);
  });

  it.each([
    ['sinks.wandb.apiKey', { wandb: { project: 'digits', apiKey: key } }],
    ['sinks.wandbKey', { wandbKey: key }],
    ['sinks.mlflow.token', { mlflow: { url: 'http://localhost', experiment: 'digits', token: key } }],
    ['sinks.mlflow.password', { mlflow: { url: 'http://localhost', experiment: 'digits', password: key } }],
  ])('hold no secrets: %s is refused, and not shown', (path, sinks) => {
    const problem = problemOf(sinks);
    expect(problem).toContain(
      `${path}: a config holds no secrets. Remove it, and set the environment variable`,
    );
    expect(problem).not.toContain(key);
  });

  it.each([
    ['sinks.mlflow.url', { mlflow: { url: `https://anna:${key}@host`, experiment: 'digits' } }],
    ['sinks.mlflow.url', { mlflow: { url: `https://host/?token=${key}`, experiment: 'digits' } }],
    ['sinks.wandb.url', { wandb: { project: 'digits', url: `https://${key}@host` } }],
    ['sinks.wandb', { wandb: key }],
    ['sinks.wandb', { wandb: [key] }],
  ])('%s with a secret in it is refused, and not shown', (path, sinks) => {
    const problem = problemOf(sinks);
    expect(problem).toContain(`${path}: wanted `);
    expect(problem).toContain('found something else, which is not shown in case it is a secret');
    expect(problem).not.toContain(key);
  });
});

describe('a run with secrets in its environment', () => {
  it('writes and says none of them, also where servers repeat them in what they refuse', async () => {
    vi.stubEnv('WANDB_API_KEY', key);
    vi.stubEnv('MLFLOW_TRACKING_TOKEN', `token-${key}`);
    const peer = await startPeer(({ authorization }) => {
      const [, sent = ''] = authorization!.split(' ');
      return { status: 400, json: { error: `${sent} ${Buffer.from(sent, 'base64').toString()}` } };
    });
    vi.stubEnv('WANDB_BASE_URL', peer.url);
    vi.stubEnv('MLFLOW_TRACKING_URI', peer.url);
    const said: string[] = [];
    const told: unknown[] = [];
    const runs = await temporaryFolder();
    const sinks = {
      wandb: { project: 'digits', url: peer.url },
      mlflow: { url: peer.url, experiment: 'digits' },
    };
    const stop = new AbortController();
    const options = {
      source: stripes(),
      backend,
      sinks: [{ name: 'mine', start: (start: unknown) => void told.push(start) }],
      onNotice: (text: string): void => void said.push(text),
      onStep: ({ step }: { step: number }): void => {
        if (step === 4) stop.abort();
      },
    };
    const { run } = await train({ ...tinyStripes, sinks }, { ...options, runs, signal: stop.signal });
    await resume(run, options);

    expect(said).toHaveLength(4);
    expect(said.filter((text) => text.includes('the answer is 400'))).toHaveLength(4);
    const encoded = Buffer.from(`api:${key}`).toString('base64');
    const files = (await readdir(run, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(5);
    const written = await Promise.all(
      files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
    );
    for (const text of [...said, ...written, JSON.stringify(told)]) {
      expect(text).not.toContain(key.slice(0, 12));
      expect(text).not.toContain(encoded.slice(0, 16));
    }
  });

  it('that lacks the key does not begin; one that is resumed without it goes on and says so', async () => {
    vi.stubEnv('WANDB_API_KEY', '');
    const runs = await temporaryFolder();
    const peer = await startPeer(() => ({ status: 400 }));
    vi.stubEnv('WANDB_BASE_URL', peer.url);
    const config = { ...tinyStripes, sinks: { wandb: { project: 'digits', url: peer.url } } };
    const options = { source: stripes(), backend };
    await expect(train(config, { ...options, runs })).rejects.toThrow(
      'sinks.wandb: wanted an API key in the environment variable WANDB_API_KEY, found none',
    );
    expect(await readdir(runs)).toEqual([]);

    vi.stubEnv('WANDB_API_KEY', key);
    const stop = new AbortController();
    const { run } = await train(config, {
      ...options,
      runs,
      signal: stop.signal,
      onStep: () => stop.abort(),
    });
    vi.stubEnv('WANDB_API_KEY', undefined);
    const notices: string[] = [];
    const { finished } = await resume(run, { ...options, onNotice: (text) => notices.push(text) });
    expect(finished).toBe(true);
    expect(notices).toEqual([
      expect.stringMatching(/^sinks\.wandb: wanted an API key.* Training goes on without it\.$/),
    ]);
  });
});

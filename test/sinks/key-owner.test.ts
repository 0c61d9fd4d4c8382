import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { replay } from '../../src/api/replay.ts';
import { recordReproduction } from '../../src/api/repro.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { mlflowCredentials, wandbCredentials } from '../../src/sinks/secrets.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { startPeer } from '../support/http-peer.ts';
import { stripes, tinyDigits, tinyStripes } from '../support/tiny-run.ts';

const key = '0123456789abcdef0123456789abcdef01234567';
const backend = referenceBackend();

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What is said to a config with this address; undefined where its server gets the key. */
function refusal(url: string, named?: string, sendKeysTo?: readonly string[]): string | undefined {
  const environment = { MLFLOW_TRACKING_TOKEN: key, MLFLOW_TRACKING_URI: named };
  try {
    mlflowCredentials({ url }, { environment, sendKeysTo });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a key of the environment', () => {
  it.each([
    ['https://ml.example.org', 'https://ml.example.org/'],
    ['https://ML.example.org:443/prefix/', 'https://ml.example.org'],
    ['https://ml.example.org:8443', 'https://anna:hunter2@ml.example.org:8443/other'],
    ['http://localhost:5000', 'http://localhost:5000'],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5000'],
    ['http://127.1:5000', 'http://127.0.0.1:5000'],
    ['http://[::1]:5000', 'http://[0:0:0:0:0:0:0:1]:5000'],
  ])('goes to %s, which the environment names as %s', (url, named) => {
    expect(refusal(url, named)).toBeUndefined();
  });

  it.each([
    ['https://evil.example.org', 'https://ml.example.org'],
    ['https://ml.example.org.evil.org', 'https://ml.example.org'],
    ['https://ml.example.org.', 'https://ml.example.org'],
    ['https://ml.example.org:8443', 'https://ml.example.org'],
    ['http://ml.example.org', 'https://ml.example.org'],
    ['https://ml.example.org@evil.org', 'https://ml.example.org'],
    ['https://ml.example.org\\@evil.org', 'https://evil.org'],
    ['http://localhost:5000', undefined],
    ['http://localhost:5000', 'http://localhost:5001'],
    ['http://localhost:5000', 'databricks'],
    ['http://localhost:5000', '/home/anna/mlruns'],
  ])('does not go to %s where it names %s', (url, named) => {
    expect(refusal(url, named)).toContain('a config cannot say where keys go');
  });

  it.each([
    'http://ml.example.org',
    'http://10.0.0.5:5000',
    'http://localhost.evil.org',
    'http://127.0.0.1.nip.io',
    'http://localhost.',
    'http://0.0.0.0:5000',
    'http://[::]:5000',
    'http://[::2]:5000',
    'http://128.0.0.1:5000',
  ])('does not leave the machine without https: %s', (url) => {
    expect(refusal(url, url)).toBe(
      `sinks.mlflow.url: ${new URL(url).origin} gets no MLFLOW_TRACKING_TOKEN: without https it could be read on the way. ` +
        'Give an address with https, or one of this machine, such as the end of an SSH tunnel.',
    );
    expect(refusal(url, undefined, [url])).toContain('without https');
  });

  it('goes where the user says now, also; the refusal says how, and shows no password', () => {
    const url = 'https://ml.example.org';
    expect(refusal(url, undefined, ['https://other.org', `${url}/`])).toBeUndefined();
    expect(refusal(url, 'https://anna:hunter2@other.org/x', ['https://third.org'])).toBe(
      'sinks.mlflow.url: https://ml.example.org gets no MLFLOW_TRACKING_TOKEN: a config cannot say where keys go, and ' +
        'MLFLOW_TRACKING_URI, which can, is https://other.org. If the key is for this server, set MLFLOW_TRACKING_URI to its ' +
        'address, or name it with --send-keys-to (sendKeysTo).',
    );
    expect(refusal(url, url, ['ml.example.org'])).toBe(
      'sendKeysTo: wanted addresses as in https://wandb.example.org, found "ml.example.org".',
    );
  });

  it('of W&B is for WANDB_BASE_URL, by default the service itself, and a config without an address means that', () => {
    const own = { WANDB_API_KEY: key, WANDB_BASE_URL: 'https://me:pw@wandb.example.org/' };
    expect(wandbCredentials({}, { environment: { WANDB_API_KEY: key } }).address).toBe(
      'https://api.wandb.ai',
    );
    expect(wandbCredentials({}, { environment: own }).address).toBe('https://wandb.example.org/');
    expect(() => wandbCredentials({ url: 'https://api.wandb.ai' }, { environment: own })).toThrow(
      'sinks.wandb.url: https://api.wandb.ai gets no WANDB_API_KEY',
    );
    const broken = { WANDB_API_KEY: key, WANDB_BASE_URL: 'wandb.example.org' };
    expect(() => wandbCredentials({}, { environment: broken })).toThrow('is no address');
  });

  it('of MLflow is also a name and a password; a server that gets nothing need not be named', () => {
    const environment = { MLFLOW_TRACKING_USERNAME: 'anna', MLFLOW_TRACKING_PASSWORD: key };
    const server = { url: 'http://10.0.0.5:5000' };
    expect(() => mlflowCredentials(server, { environment })).toThrow(
      'gets no MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
    );
    expect(mlflowCredentials(server, { environment: {} }).authorization).toBeUndefined();
  });
});

describe('a config that came from elsewhere', () => {
  beforeEach(() => {
    vi.stubEnv('WANDB_API_KEY', key);
    vi.stubEnv('MLFLOW_TRACKING_TOKEN', key);
    vi.stubEnv('WANDB_BASE_URL', undefined);
    vi.stubEnv('MLFLOW_TRACKING_URI', undefined);
  });

  it('sends no key to its own server: trained from a file or a record, resumed, or replayed', async () => {
    const folder = await temporaryFolder();
    const runs = join(folder, 'runs');
    const thief = await startPeer(() => ({ status: 400 }));
    const options = { source: stripes(), backend };
    const hostile = {
      wandb: { project: 'digits', url: thief.url },
      mlflow: { url: thief.url, experiment: 'digits' },
    };
    const file = join(folder, 'downloaded.json');
    for (const sinks of [{ wandb: hostile.wandb }, { mlflow: hostile.mlflow }]) {
      await writeFile(file, JSON.stringify({ ...tinyStripes, sinks }));
      const { config } = await loadConfig(file);
      await expect(train(config, { ...options, runs })).rejects.toThrow(`${thief.url} gets no `);
    }
    await expect(readdir(runs)).rejects.toThrow('ENOENT');

    const stop = new AbortController();
    const onStep = ({ step }: { step: number }): void => {
      if (step === 4) stop.abort();
    };
    const { run } = await train(tinyStripes, { ...options, runs, onStep, signal: stop.signal });
    const settings = join(run, 'config.json');
    const record = JSON.parse(await readFile(settings, 'utf8')) as { config: ConfigInput };
    await writeFile(settings, JSON.stringify({ ...record, config: { ...record.config, sinks: hostile } }));

    await writeFile(file, JSON.stringify(await recordReproduction(run, options)));
    const { config } = await loadConfig(file);
    await expect(train(config, { ...options, runs })).rejects.toThrow(`${thief.url} gets no WANDB_API_KEY`);

    const copy = join(folder, 'copy');
    await cp(run, copy, { recursive: true });
    const told: string[] = [];
    const start = (): void => void told.push('the first step');
    const own = { name: 'own', scalars: start };
    await resume(copy, { ...options, sinks: [own], onNotice: (text) => told.push(text) });
    expect(told.slice(1, 4)).toEqual([
      expect.stringMatching(/^sinks\.wandb\.url: .* gets no WANDB_API_KEY.* Training goes on without it\.$/),
      expect.stringMatching(/^sinks\.mlflow\.url: .* gets no MLFLOW_TRACKING_TOKEN/),
      'the first step',
    ]);
    await replay(run, 1, 4, options);
    expect(thief.received).toEqual([]);

    await resume(run, { ...options, sendKeysTo: [thief.url] });
    expect(thief.received.length).toBeGreaterThan(0);
    expect(thief.received.every(({ authorization }) => authorization !== undefined)).toBe(true);
  });

  it('is refused on the command line too, until the user names its server there', async () => {
    const folder = await temporaryFolder();
    const peer = await startPeer(() => ({ status: 400 }));
    const sinks = { wandb: { project: 'digits', url: peer.url } };
    const short = { ...tinyDigits, train: { ...tinyDigits.train, steps: 1 } };
    await writeFile(join(folder, 'downloaded.json'), JSON.stringify({ ...short, sinks }));
    const begin = ['train', 'downloaded.json', '--name', 'run'];
    const allow = ['--send-keys-to', 'https://other.example.org', '--send-keys-to', peer.url];
    const refused = await rectiflow(folder, begin);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(`sinks.wandb.url: ${peer.url} gets no WANDB_API_KEY`);
    expect(peer.received).toEqual([]);
    expect((await rectiflow(folder, [...begin, ...allow])).code).toBe(0);
    const count = peer.received.length;
    expect(count).toBeGreaterThan(0);
    const left = await rectiflow(folder, ['resume', 'runs/run']);
    expect(left.stdout).toContain('gets no WANDB_API_KEY');
    expect(peer.received).toHaveLength(count);
    expect((await rectiflow(folder, ['resume', 'runs/run', ...allow])).code).toBe(0);
    expect(peer.received.length).toBeGreaterThan(count);
  });
});

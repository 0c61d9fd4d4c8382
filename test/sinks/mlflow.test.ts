import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../src/sinks/key-owner.ts';
import { MlflowRun } from '../../src/sinks/mlflow.ts';
import { RemoteId } from '../../src/sinks/remote-id.ts';
import { RemoteSink } from '../../src/sinks/remote-sink.ts';
import { mlflowCredentials } from '../../src/sinks/secrets.ts';
import { temporaryFolder } from '../support/cli.ts';
import { startPeer } from '../support/http-peer.ts';
import { type Stored, noRun, startMlflow, token } from '../support/mlflow-peer.ts';

const never = new AbortController().signal;
const start = {
  name: 'digits-2',
  config: { name: 'digits-2', seed: 1, model: { kind: 'dit', classes: 10 }, sample: { labels: [0, 1] } },
  step: 0,
};

function sinkTo(
  url: string,
  folder: string,
  notices: string[] = [],
  environment: Environment = { MLFLOW_TRACKING_TOKEN: token },
): RemoteSink {
  const onNotice = (text: string): number => notices.push(text);
  const id = new RemoteId(folder, 'mlflow');
  const owner = { environment: { MLFLOW_TRACKING_URI: url, ...environment } };
  const run = new MlflowRun(
    { url, experiment: 'my digits' },
    mlflowCredentials({ url }, owner),
    id,
    onNotice,
  );
  return new RemoteSink(run, { onNotice, pauseMs: 1, retryMs: 1 });
}

describe('a run at MLflow', () => {
  it('has its settings, metrics by step, pictures, and a status', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'step-0000020.png');
    await writeFile(path, 'a picture');
    const notices: string[] = [];
    const server = await startMlflow();
    const sink = sinkTo(`${server.url}/`, folder, notices);
    sink.start(start);
    sink.scalars(10, { 'train/loss': 0.5, 'loss[0, 0.5]': NaN });
    sink.scalars(20, { 'train/loss': 0.25 });
    sink.image(20, 'samples', path);
    await sink.end('finished', never);

    expect([...server.experiments]).toEqual([['my digits', '7']]);
    expect(JSON.parse(await readFile(join(folder, 'mlflow.json'), 'utf8'))).toEqual({ run: 'run0' });
    const { status, params, metrics } = server.runs.get('run0')!;
    expect(status).toBe('FINISHED');
    expect(Object.fromEntries(params)).toEqual({
      seed: '1',
      'model.kind': 'dit',
      'model.classes': '10',
      'sample.labels': '[0,1]',
    });
    const timestamp = expect.any(Number);
    expect(metrics).toEqual([
      { key: 'train/loss', value: 0.5, step: 10, timestamp },
      { key: 'loss_0_ 0.5_', value: 'NaN', step: 10, timestamp },
      { key: 'train/loss', value: 0.25, step: 20, timestamp },
    ]);
    expect([...server.uploads]).toEqual([
      [
        '/api/2.0/mlflow-artifacts/artifacts/7/run0/artifacts/samples/step-0000020.png',
        Buffer.from('a picture'),
      ],
    ]);
    expect(notices).toEqual([]);
  });

  it('goes on when the run is resumed, and repeats no step; one that was deleted begins anew', async () => {
    const folder = await temporaryFolder();
    const server = await startMlflow();
    const trainSteps = async (first: number, last: number): Promise<void> => {
      const sink = sinkTo(server.url, folder);
      sink.start({ ...start, step: first - 1 });
      for (let step = first; step <= last; step++) sink.scalars(step, { loss: step });
      await sink.end('stopped', never);
    };
    await trainSteps(1, 4);
    await trainSteps(3, 6);
    const [[id, run]] = [...server.runs] as [[string, Stored]];
    expect(run.metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(run.status).toBe('KILLED');
    expect(server.received.some(({ json }) => json?.status === 'RUNNING')).toBe(true);
    server.runs.delete(id);
    server.runs.set('another', noRun());
    await trainSteps(7, 8);
    expect(server.runs.get('run1')!.metrics).toHaveLength(2);
    expect(JSON.parse(await readFile(join(folder, 'mlflow.json'), 'utf8'))).toEqual({ run: 'run1' });
  });

  it('has settings that were changed since it began as tags, because parameters stay', async () => {
    const folder = await temporaryFolder();
    const server = await startMlflow();
    for (const seed of [1, 2]) {
      const sink = sinkTo(server.url, folder);
      sink.start({ ...start, config: { ...start.config, seed, extra: seed === 2 ? 'new' : undefined } });
      sink.scalars(seed, { loss: seed });
      await sink.end('stopped', never);
    }
    const { params, tags, metrics } = server.runs.get('run0')!;
    expect([params.get('seed'), params.get('extra'), [...tags]]).toEqual(['1', 'new', [['seed', '2']]]);
    expect(metrics).toHaveLength(2);
  });

  it('splits what is more than a request may hold', async () => {
    const server = await startMlflow();
    const sink = sinkTo(server.url, await temporaryFolder());
    const config = Object.fromEntries(
      Array.from({ length: 250 }, (_, i) => [`setting${i}`, 'x'.repeat(600)]),
    );
    sink.start({ ...start, config });
    for (let step = 1; step <= 150; step++) {
      sink.scalars(step, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`m${i}`, i])));
    }
    await sink.end('failed', never);
    const { status, params, metrics } = server.runs.get('run0')!;
    expect([status, params.size, params.get('setting0')!.length, metrics.length]).toEqual([
      'FAILED',
      250,
      500,
      1500,
    ]);
  });

  it('whose server takes no artifacts gets no pictures, and the user is told once', async () => {
    const notices: string[] = [];
    const server = await startMlflow('s3://bucket');
    const sink = sinkTo(server.url, await temporaryFolder(), notices);
    sink.start(start);
    for (const step of [1, 2]) sink.image(step, 'samples', 'grid.png');
    await sink.end('finished', never);
    expect(notices).toEqual([expect.stringMatching(/^MLflow gets no pictures: .*--serve-artifacts/)]);
  });

  it('is asked with a name and a password, or with nothing, as the environment has it', async () => {
    const name = { MLFLOW_TRACKING_USERNAME: 'anna', MLFLOW_TRACKING_PASSWORD: 'hunter2' };
    const basic = `Basic ${Buffer.from('anna:hunter2').toString('base64')}`;
    const server = await startMlflow('mlflow-artifacts:', basic);
    const sink = sinkTo(server.url, await temporaryFolder(), [], { ...name, MLFLOW_TRACKING_TOKEN: token });
    sink.start(start);
    await sink.end('finished', never);
    expect(server.runs.get('run0')!.status).toBe('FINISHED');
    const { authorization } = mlflowCredentials(server, { environment: {} });
    expect(authorization).toBeUndefined();
  });

  it('that is refused ends with an error without the token', async () => {
    const server = await startPeer(() => ({ status: 403, json: { message: `${token} may not` } }));
    const sink = sinkTo(server.url, await temporaryFolder());
    sink.start(start);
    const refused = /the answer is 403 \{"message":"\[secret\] may not"\}\. Check MLFLOW_TRACKING_TOKEN/;
    await expect(sink.end('finished', never)).rejects.toThrow(refused);
    const broken = sinkTo(server.url, await temporaryFolder(), [], { MLFLOW_TRACKING_TOKEN: 'two\nlines' });
    broken.start(start);
    await expect(broken.end('finished', AbortSignal.timeout(20))).rejects.not.toThrow('two\nlines');
  });

  it.each([
    [{ experiment: { experiment_id: '7' }, run: 'no run' }],
    [{ experiment: { experiment_id: '7' } }],
    [null],
  ])('whose server is another answers %j, and the user is told so', async (json) => {
    const server = await startPeer(() => ({ json }));
    const sink = sinkTo(server.url, await temporaryFolder());
    sink.start(start);
    const ending = sink.end('finished', new AbortController().signal);
    await expect(ending).rejects.toThrow(/^what the server answers is not of MLflow \(/);
  });
});

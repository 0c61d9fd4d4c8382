import { expect } from 'vitest';
import { type Peer, startPeer } from './http-peer.ts';

export const token = 'a-token-that-nobody-may-see';

export interface Stored {
  status: string;
  name: string;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  readonly metrics: { key: string; value: number | string; timestamp: number; step: number }[];
}

export function noRun(): Stored {
  return { status: 'RUNNING', name: '', params: new Map(), metrics: [], tags: new Map() };
}

/** What such a server has. */
export interface MlflowPeer extends Peer {
  readonly experiments: Map<string, string>;
  readonly runs: Map<string, Stored>;
  readonly uploads: Map<string, Buffer>;
}

/** The part of MLflow's API that a run needs. */
export async function startMlflow(
  artifacts = 'mlflow-artifacts:',
  authorization = `Bearer ${token}`,
): Promise<MlflowPeer> {
  const experiments = new Map<string, string>();
  const runs = new Map<string, Stored>();
  const uploads = new Map<string, Buffer>();
  const missing = { status: 404, json: { error_code: 'RESOURCE_DOES_NOT_EXIST' } };
  const infoOf = (id: string) => ({ run_id: id, artifact_uri: `${artifacts}/7/${id}/artifacts` });
  const peer = await startPeer(({ method, path, authorization: given, body, json }) => {
    expect(given).toBe(authorization);
    const { pathname, searchParams } = new URL(path, 'http://peer');
    if (method === 'PUT') {
      uploads.set(pathname, body);
      return {};
    }
    const what = `${method} ${pathname.replace('/api/2.0/mlflow/', '')}`;
    if (what === 'GET experiments/get-by-name') {
      const id = experiments.get(searchParams.get('experiment_name')!);
      return id === undefined ? missing : { json: { experiment: { experiment_id: id } } };
    }
    if (what === 'POST experiments/create') {
      experiments.set(json.name, '7');
      return { json: { experiment_id: '7' } };
    }
    if (what === 'POST runs/create') {
      expect(json).toMatchObject({ experiment_id: '7', start_time: expect.any(Number) });
      const id = `run${runs.size}`;
      runs.set(id, { ...noRun(), name: json.run_name });
      return { json: { run: { info: infoOf(id) } } };
    }
    const id = json?.run_id ?? searchParams.get('run_id');
    const run = runs.get(id);
    if (!run) return missing;
    if (what === 'GET runs/get') {
      const params = Array.from(run.params, ([key, value]) => ({ key, value }));
      return { json: { run: { info: infoOf(id), data: { metrics: run.metrics, params } } } };
    }
    if (what === 'POST runs/update') {
      run.status = json.status;
      run.name = json.run_name ?? run.name;
      return {};
    }
    expect(what).toBe('POST runs/log-batch');
    for (const { key, value } of json.params ?? []) {
      // What a server refuses: a parameter that changes.
      expect(run.params.get(key) ?? value).toBe(value);
      run.params.set(key, value);
    }
    for (const { key, value } of json.tags ?? []) run.tags.set(key, value);
    expect((json.metrics ?? []).length).toBeLessThanOrEqual(1000);
    run.metrics.push(...(json.metrics ?? []));
    return {};
  });
  return { ...peer, experiments, runs, uploads };
}

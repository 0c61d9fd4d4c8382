// An MLflow tracking server, by its REST API.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Http, type Json, RequestError } from './http.ts';
import type { RunOutcome } from '../train/run-log.ts';
import type { SinkStart } from './metric-sink.ts';
import type { RemoteId } from './remote-id.ts';
import type { RemoteEvent, RemoteRun } from './remote-sink.ts';
import type { Credentials } from './secrets.ts';
import type { MlflowConfig } from './settings.ts';

const api = '/api/2.0/mlflow';

/** Of one request, as the API's reference has them. */
const maxParams = 100;
const maxMetrics = 1000;
/** Of a parameter's value, for servers of all ages. */
const maxValueLength = 500;

const statuses: Readonly<Record<RunOutcome, string>> = {
  finished: 'FINISHED',
  failed: 'FAILED',
  stopped: 'KILLED',
};

const noPictures =
  "MLflow gets no pictures: its server does not take them itself (mlflow server --serve-artifacts). They are in the run's folder.";

const voidSteps = (step: number): string =>
  `Training went back to the checkpoint of step ${step}: later steps of this run do not count. The run goes on in another, with all steps that do.`;

interface Run {
  readonly info: { readonly run_id: string; readonly artifact_uri?: string };
  readonly data?: {
    readonly metrics?: readonly { readonly step?: number | string }[];
    readonly params?: readonly { readonly key: string; readonly value: string }[];
  };
}

export class MlflowRun implements RemoteRun {
  readonly name = 'MLflow';
  readonly #config: MlflowConfig;
  readonly #http: Http;
  readonly #id: RemoteId;
  readonly #onNotice: (text: string) => void;
  #run = '';
  #name = '';
  /** The path that artifacts are put below; undefined for a server that does not take them itself. */
  #artifacts: string | undefined;

  constructor(
    config: MlflowConfig,
    credentials: Credentials,
    id: RemoteId,
    onNotice: (text: string) => void,
  ) {
    this.#config = config;
    this.#http = new Http(credentials);
    this.#id = id;
    this.#onNotice = onNotice;
  }

  async open(start: SinkStart, signal: AbortSignal): Promise<number> {
    const known = await this.#id.read();
    const found = known === undefined ? undefined : await this.#find(known, signal);
    const { info, data } = found ?? (await this.#create(start, signal));
    this.#run = info.run_id;
    this.#name = start.name;
    if (found) await this.#http.post(`${api}/runs/update`, { run_id: this.#run, status: 'RUNNING' }, signal);
    await this.#logSettings(
      start.config,
      new Map(data?.params?.map(({ key, value }) => [key, value])),
      signal,
    );
    const [, path] = /^mlflow-artifacts:(\/[^/].*)$/.exec(info.artifact_uri ?? '') ?? [];
    if (path === undefined) this.#onNotice(noPictures);
    else this.#artifacts = `/api/2.0/mlflow-artifacts/artifacts${path}`;
    return (data?.metrics ?? []).reduce((last, { step }) => Math.max(last, Number(step ?? 0)), 0);
  }

  async send(events: readonly RemoteEvent[], signal: AbortSignal): Promise<void> {
    const metrics = events.flatMap((event) =>
      event.kind !== 'scalars'
        ? []
        : Object.entries(event.values).map(([tag, value]) => ({
            key: metricName(tag),
            value: Number.isFinite(value) ? value : String(value),
            timestamp: event.time,
            step: event.step,
          })),
    );
    for (const some of chunks(metrics, maxMetrics)) await this.#logBatch({ metrics: some }, signal);
    for (const event of events) if (event.kind === 'image') await this.#upload(event, signal);
  }

  async close(outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    const end = { run_id: this.#run, status: statuses[outcome], end_time: Date.now() };
    await this.#http.post(`${api}/runs/update`, end, signal);
  }

  /** Logged metrics stay: one that is logged again for the same step is a second point of the curve. */
  async goBack(step: number, signal: AbortSignal): Promise<boolean> {
    const name = `${this.#name} (went back to step ${step})`;
    const end = { run_id: this.#run, run_name: name, status: statuses.stopped, end_time: Date.now() };
    await this.#http.post(`${api}/runs/update`, end, signal);
    const tags = [
      { key: 'rectiflow.went_back_to', value: String(step) },
      { key: 'mlflow.note.content', value: voidSteps(step) },
    ];
    await this.#logBatch({ tags }, signal);
    await this.#id.forget();
    return false;
  }

  /** @returns undefined for a run that was deleted */
  async #find(id: string, signal: AbortSignal): Promise<Run | undefined> {
    return missingIsUndefined(
      this.#http.get(`${api}/runs/get?run_id=${encodeURIComponent(id)}`, signal),
      ({ run }) => run as Run,
    );
  }

  async #create({ name }: SinkStart, signal: AbortSignal): Promise<Run> {
    const experiment = (await this.#experiment(signal)) ?? (await this.#createExperiment(signal));
    const tags = [{ key: 'mlflow.source.name', value: 'rectiflow' }];
    const create = { experiment_id: experiment, run_name: name, start_time: Date.now(), tags };
    const { run } = await this.#http.post(`${api}/runs/create`, create, signal);
    const { info } = run as Run;
    await this.#id.write(info.run_id);
    return { info };
  }

  async #experiment(signal: AbortSignal): Promise<string | undefined> {
    const name = encodeURIComponent(this.#config.experiment);
    return missingIsUndefined(
      this.#http.get(`${api}/experiments/get-by-name?experiment_name=${name}`, signal),
      ({ experiment }) => (experiment as { experiment_id: string }).experiment_id,
    );
  }

  async #createExperiment(signal: AbortSignal): Promise<string> {
    const made = await this.#http.post(
      `${api}/experiments/create`,
      { name: this.#config.experiment },
      signal,
    );
    return String(made['experiment_id']);
  }

  /** Parameters are logged once, and refused where they change: what a resumed run has changed becomes tags of the same names. */
  async #logSettings(
    config: SinkStart['config'],
    logged: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    // The run is named once; its folder may be renamed.
    const { name: _, ...settings } = config;
    const all = flatten(settings).map(([key, value]) => ({ key, value: value.slice(0, maxValueLength) }));
    const params = all.filter(({ key }) => !logged.has(key));
    for (const some of chunks(params, maxParams)) await this.#logBatch({ params: some }, signal);
    const tags = all.filter(({ key, value }) => logged.has(key) && logged.get(key) !== value);
    for (const some of chunks(tags, maxParams)) await this.#logBatch({ tags: some }, signal);
  }

  async #logBatch(what: Json, signal: AbortSignal): Promise<void> {
    await this.#http.post(`${api}/runs/log-batch`, { run_id: this.#run, ...what }, signal);
  }

  /** Nothing where the picture was removed meanwhile. */
  async #upload({ tag, path }: Extract<RemoteEvent, { kind: 'image' }>, signal: AbortSignal): Promise<void> {
    const data = this.#artifacts === undefined ? undefined : await readFile(path).catch(() => undefined);
    if (!data) return;
    const headers = { 'content-type': 'image/png' };
    await this.#http.put(`${this.#artifacts}/${tag}/${basename(path)}`, { data, headers }, signal);
  }
}

async function missingIsUndefined<T>(
  answer: Promise<Json>,
  select: (found: Json) => T,
): Promise<T | undefined> {
  try {
    return select(await answer);
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return undefined;
    throw error;
  }
}

/** `train.steps` and its value for each setting; those that are not there are left out. */
function flatten(settings: unknown, path = ''): (readonly [key: string, value: string])[] {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    return [[path, typeof settings === 'string' ? settings : JSON.stringify(settings)]];
  }
  return Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => flatten(value, path === '' ? key : `${path}.${key}`));
}

/** MLflow takes letters, digits, and these. */
function metricName(tag: string): string {
  return tag.replace(/[^\p{L}\p{N}_./\- ]/gu, '_');
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

// Weights & Biases, by what its own client speaks: GraphQL for the run and its files, and the file stream for its lines.
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Histogram } from './histogram.ts';
import { Http, type Json, RequestError } from './http.ts';
import type { RunOutcome } from '../train/run-log.ts';
import type { SinkStart } from './metric-sink.ts';
import type { RemoteId } from './remote-id.ts';
import type { RemoteEvent, RemoteRun } from './remote-sink.ts';
import type { Credentials } from './secrets.ts';
import type { WandbConfig } from './settings.ts';

const history = 'wandb-history.jsonl';
const summary = 'wandb-summary.json';
const consoleLog = 'output.log';

const exitCodes: Readonly<Record<RunOutcome, number>> = { finished: 0, failed: 1, stopped: 255 };

const resumeStatus = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { historyLineCount historyTail logLineCount summaryMetrics }
  }
}`;

const upsertBucket = `mutation UpsertBucket(
  $name: String, $project: String, $entity: String, $displayName: String, $config: JSONString, $host: String
) {
  upsertBucket(input: {
    name: $name, modelName: $project, entityName: $entity, displayName: $displayName, config: $config, host: $host
  }) {
    bucket { id name project { name entity { name } } }
  }
}`;

/** Only some accounts and servers have it: W&B calls it a preview. */
const rewindRun = `mutation RewindRun($entity: String, $project: String, $run: String!, $step: Float!) {
  rewindRun(input: {entityName: $entity, projectName: $project, runName: $run, metricName: "_step", metricValue: $step}) {
    rewoundRun { historyLineCount }
  }
}`;

const createRunFiles = `mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    uploadHeaders
    files { name uploadUrl }
  }
}`;

interface Bucket {
  readonly historyLineCount?: number | null;
  /** A JSON list of the last lines, each a JSON text. */
  readonly historyTail?: string | null;
  readonly logLineCount?: number | null;
  readonly summaryMetrics?: string | null;
}

/** What a line of the history, and a line of the summary, is written from. */
type Row = Record<string, unknown>;

export class WandbRun implements RemoteRun {
  readonly name = 'Weights & Biases';
  readonly #config: WandbConfig;
  readonly #http: Http;
  readonly #id: RemoteId;
  #target!: { readonly entity: string; readonly project: string; readonly run: string };
  #name = '';
  #began = 0;
  #lines = 0;
  #logLines = 0;
  #summary: Row = {};

  constructor(config: WandbConfig, credentials: Credentials, id: RemoteId) {
    this.#config = config;
    this.#http = new Http(credentials);
    this.#id = id;
  }

  async open({ name, config }: SinkStart, signal: AbortSignal): Promise<number> {
    const run = (await this.#id.read()) ?? newId();
    // Before the run is there: a crash in between finds it again.
    await this.#id.write(run);
    const { project, entity = null } = this.#config;
    const where = { project, entity, name: run };
    const { model } = (await this.#query(resumeStatus, where, signal)) as {
      model?: { bucket?: Bucket | null } | null;
    };
    const settings = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value }]));
    const made = (await this.#query(
      upsertBucket,
      { ...where, displayName: name, config: JSON.stringify(settings), host: hostname() },
      signal,
    )) as { upsertBucket: { bucket: { project: { name: string; entity: { name: string } } } } };
    const found = made.upsertBucket.bucket.project;
    this.#name = name;
    this.#target = { entity: found.entity.name, project: found.name, run };
    return this.#goOn(model?.bucket ?? {});
  }

  async send(events: readonly RemoteEvent[], signal: AbortSignal): Promise<void> {
    const rows = new Map<number, Row>();
    const log: string[] = [];
    const uploaded: string[] = [];
    // What was logged before this run was there at W&B.
    this.#began = Math.min(this.#began, events[0]?.time ?? this.#began);
    for (const event of events) {
      if (event.kind === 'notice') {
        log.push(`${new Date(event.time).toISOString().slice(0, -1)} ${event.text}\n`);
        continue;
      }
      const row = rows.get(event.step) ?? {};
      rows.set(event.step, row);
      const runtime = (event.time - this.#began) / 1000;
      Object.assign(row, { _step: event.step, _timestamp: event.time / 1000, _runtime: runtime });
      if (event.kind === 'scalars') Object.assign(row, event.values);
      else if (event.kind === 'histograms') {
        for (const [tag, value] of Object.entries(event.values)) row[tag] = histogram(value);
      } else {
        const picture = await this.#upload(event, signal);
        if (!picture) continue;
        row[event.tag] = picture;
        uploaded.push(picture.path);
      }
    }
    const latest: Row = { ...this.#summary };
    for (const row of rows.values()) Object.assign(latest, row);
    const files = {
      ...(rows.size > 0 && {
        [history]: { offset: this.#lines, content: [...rows.values()].map(line) },
        [summary]: { offset: 0, content: [line(latest)] },
      }),
      ...(log.length > 0 && { [consoleLog]: { offset: this.#logLines, content: log } }),
    };
    // An empty one tells that the run is alive.
    await this.#stream({ files, ...(uploaded.length > 0 && { uploaded }) }, signal);
    this.#summary = latest;
    this.#lines += rows.size;
    this.#logLines += log.length;
  }

  async goBack(step: number, signal: AbortSignal): Promise<boolean> {
    const lines = step > 0 ? await this.#rewind(step, signal) : undefined;
    if (lines !== undefined) {
      [this.#lines, this.#logLines, this.#summary] = [lines, 0, {}];
      return true;
    }
    const { entity, project, run: name } = this.#target;
    const displayName = `${this.#name} (went back to step ${step})`;
    await this.#query(upsertBucket, { entity, project, name, displayName }, signal);
    await this.#id.forget();
    return false;
  }

  async close(outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    await this.#stream({ complete: true, exitcode: exitCodes[outcome] }, signal);
  }

  /** Behind what the run has. @returns its last step */
  #goOn({ historyLineCount, historyTail, logLineCount, summaryMetrics }: Bucket): number {
    const tail = JSON.parse(historyTail || '[]') as string[];
    const last = JSON.parse(tail.at(-1) ?? '{}') as Partial<Record<string, number>>;
    this.#began = Date.now() - 1000 * (last['_runtime'] ?? 0);
    this.#lines = historyLineCount ?? 0;
    this.#logLines = logLineCount ?? 0;
    this.#summary = JSON.parse(summaryMetrics || '{}') as Row;
    // Either may be older than the other: the server answers from caches.
    return Math.max(last['_step'] ?? 0, Number(this.#summary['_step']) || 0);
  }

  /** The console's lines and the summary begin anew with it. @returns the lines that are left; undefined where it is refused */
  async #rewind(step: number, signal: AbortSignal): Promise<number | undefined> {
    try {
      const answer = (await this.#query(rewindRun, { ...this.#target, step }, signal)) as {
        rewindRun?: { rewoundRun?: { historyLineCount?: number | null } | null } | null;
      };
      return answer.rewindRun?.rewoundRun?.historyLineCount ?? undefined;
    } catch (error) {
      // A server that does not know it may well fail over it, each time.
      if (!(error instanceof RequestError) || (error.isTemporary && error.status !== 500)) throw error;
      return undefined;
    }
  }

  /** @returns the picture's entry in the history; undefined where it was removed meanwhile */
  async #upload(
    { tag, step, path }: Extract<RemoteEvent, { kind: 'image' }>,
    signal: AbortSignal,
  ): Promise<(Row & { readonly path: string }) | undefined> {
    const data = await readFile(path).catch(() => undefined);
    if (!data) return undefined;
    const sha256 = createHash('sha256').update(data).digest('hex');
    const file = `media/images/${tag}_${step}_${sha256.slice(0, 20)}.png`;
    const { createRunFiles: made } = (await this.#query(
      createRunFiles,
      { ...this.#target, files: [file] },
      signal,
    )) as { createRunFiles: { uploadHeaders: string[]; files: { uploadUrl: string }[] } };
    const headers = Object.fromEntries(
      made.uploadHeaders.map((header) => [
        header.slice(0, header.indexOf(':')),
        header.slice(header.indexOf(':') + 1).trim(),
      ]),
    );
    await this.#http.put(made.files[0]!.uploadUrl, { data, headers }, signal);
    const [width, height] = [data.readUInt32BE(16), data.readUInt32BE(20)];
    return { _type: 'image-file', path: file, sha256, size: data.length, width, height, format: 'png' };
  }

  async #query(query: string, variables: Json, signal: AbortSignal): Promise<Json> {
    const { data, errors } = await this.#http.post('/graphql', { query, variables }, signal);
    const [error] = (errors ?? []) as { message: string }[];
    if (error || !data) throw this.#http.problem(error?.message ?? 'the answer holds no data', 400);
    return data as Json;
  }

  async #stream(body: Json, signal: AbortSignal): Promise<void> {
    const { entity, project, run } = this.#target;
    const path = [entity, project, run].map(encodeURIComponent).join('/');
    await this.#http.post(`/files/${path}/file_stream`, body, signal);
  }
}

/** Eight letters and digits, as those that the client makes. */
function newId(): string {
  return Array.from(randomBytes(8), (byte) => (byte % 36).toString(36)).join('');
}

function histogram({ counts, edges }: Histogram): Row {
  return { _type: 'histogram', values: counts, bins: edges };
}

/** NaN and infinities by their names, as the client writes them. */
function line(row: Row): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
}

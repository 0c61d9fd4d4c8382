import { expect } from 'vitest';
import { type Answer, type Peer, type Received, startPeer } from './http-peer.ts';

export const key = '0123456789abcdef0123456789abcdef01234567';

export interface FileStream {
  readonly files?: Record<string, { offset: number; content: string[] }>;
  readonly uploaded?: string[];
  readonly complete?: boolean;
  readonly exitcode?: number;
}

/** What such a server has. */
export interface WandbPeer extends Peer {
  /** By run and file. */
  readonly lines: Map<string, Map<string, string[]>>;
  /** Of runs. */
  readonly names: Map<string, string>;
  readonly configs: Map<string, unknown>;
  readonly uploads: Map<string, Buffer>;
  readonly streams: FileStream[];
}

/** The part of the API of W&B that a run needs, over a store of runs by their ids. */
export async function startWandb(
  break_: (request: Received) => Answer | undefined = () => undefined,
): Promise<WandbPeer> {
  const lines = new Map<string, Map<string, string[]>>();
  const names = new Map<string, string>();
  const configs = new Map<string, unknown>();
  const uploads = new Map<string, Buffer>();
  const streams: FileStream[] = [];
  const peer: Peer = await startPeer((request) => {
    const broken = break_(request);
    if (broken) return broken;
    if (request.method === 'PUT') {
      // A signed address: no credentials belong there.
      expect(request.authorization).toBeUndefined();
      uploads.set(request.path, request.body);
      return {};
    }
    expect(request.authorization).toBe(`Basic ${Buffer.from(`api:${key}`).toString('base64')}`);
    if (request.path === '/graphql') return { json: { data: query(request.json) } };
    const [, entity, project, run] = /^\/files\/(.+)\/(.+)\/(.+)\/file_stream$/.exec(request.path)!;
    expect([entity, project]).toEqual(['anna', 'digits']);
    const stream = request.json as FileStream;
    streams.push(stream);
    for (const [name, { offset, content }] of Object.entries(stream.files ?? {})) {
      const file = lines.get(run!)!.get(name) ?? [];
      expect(offset).toBeLessThanOrEqual(file.length);
      file.splice(offset, content.length, ...content);
      lines.get(run!)!.set(name, file);
    }
    return {};
  });
  const query = ({ query: text, variables }: { query: string; variables: Record<string, unknown> }) => {
    const name = String(variables['name'] ?? variables['run']);
    if (text.startsWith('query RunResumeStatus')) {
      const files = lines.get(name);
      if (!files) return { model: null };
      const history = files.get('wandb-history.jsonl') ?? [];
      const bucket = {
        historyLineCount: history.length,
        historyTail: JSON.stringify(history.slice(-1)),
        logLineCount: files.get('output.log')?.length ?? 0,
        summaryMetrics: files.get('wandb-summary.json')?.[0] ?? null,
      };
      return { model: { bucket } };
    }
    if (text.startsWith('mutation UpsertBucket')) {
      expect(variables).toMatchObject({ project: 'digits', displayName: expect.any(String) });
      names.set(name, String(variables['displayName']));
      if (variables['config'] !== undefined) configs.set(name, JSON.parse(String(variables['config'])));
      if (!lines.has(name)) lines.set(name, new Map());
      const project = { name: 'digits', entity: { name: 'anna' } };
      return { upsertBucket: { bucket: { id: 'UnVu', name, project } } };
    }
    if (text.startsWith('mutation RewindRun')) {
      const history = lines.get(name)!.get('wandb-history.jsonl')!;
      const kept = history.filter((row) => JSON.parse(row)['_step'] <= Number(variables['step']));
      lines.set(name, new Map([['wandb-history.jsonl', kept]]));
      return { rewindRun: { rewoundRun: { historyLineCount: kept.length } } };
    }
    expect(text).toMatch(/^mutation CreateRunFiles/);
    expect(variables).toMatchObject({ entity: 'anna', project: 'digits' });
    const files = (variables['files'] as string[]).map((file) => ({
      name: file,
      uploadUrl: `${peer.url}/storage/${file}?signature=abc`,
    }));
    return { createRunFiles: { uploadHeaders: ['X-Goog-Class: standard'], files } };
  };
  return { ...peer, lines, names, configs, uploads, streams };
}

// The routes: each is a call of a function, its answer as JSON. Who may ask is in guard.ts.
import { readFile, stat } from 'node:fs/promises';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { freeDisk } from '../api/doctor/machine.ts';
import { describeMachine, version } from '../host/machine.ts';
import { availableMemory } from '../host/machine-memory.ts';
import { recipes } from '../recipes/index.ts';
import { compareRuns } from './compare-runs.ts';
import type { Json, MachineAnswer, RecipeList, SeriesAnswer } from './contract.ts';
import { checkOrigin, checkToken, securityHeaders } from './guard.ts';
import { type WorkParts, workRoutes } from './jobs/routes.ts';
import type { Previews } from './jobs/previews.ts';
import { eventStream } from './live/event-stream.ts';
import type { LiveRuns } from './live/live-run.ts';
import { positionOf } from './live/position.ts';
import { seriesQuestion } from './queries.ts';
import { Refusal, failureOf } from './refusal.ts';
import { describeRun, logOf, picturePath } from './run-details.ts';
import { listRuns } from './run-list.ts';
import { type RunPlace, placeOf } from './run-place.ts';
import type { Summaries } from './run-summary.ts';
import { isAskedFile, isWholePng, sampleFileOf } from './sample-files.ts';
import type { SeriesStore } from './series/store.ts';
import { staticFile } from './static-files.ts';

/** What the routes work with. */
export interface AppParts extends WorkParts {
  /** The folder of the built page. */
  readonly page: string;
  readonly token: string;
  /** What `Host` may say. */
  hosts(): ReadonlySet<string>;
  readonly summaries: Summaries;
  readonly series: SeriesStore;
  readonly live: LiveRuns;
  readonly previews: Previews;
  /** Hears of what went wrong by a fault of the program. */
  tell(text: string): void;
}

const mostBody = 1 << 20;
/** Who writes a picture is done with it by then: in milliseconds. */
const writtenMs = 10_000;

export function createApp(parts: AppParts): Hono {
  const { token, tell } = parts;
  const app = new Hono();
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    checkOrigin((name) => c.req.header(name), parts.hosts());
    await next();
  });
  app.use('/api/*', async (c, next) => {
    c.header('Cache-Control', 'no-store');
    checkToken((name) => c.req.header(name), token);
    if (c.req.method === 'POST' && !/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
      throw new Refusal(415, 'Requests that change something are JSON: Content-Type application/json.');
    await next();
  });
  const onError = (): never => {
    throw new Refusal(413, 'The request is larger than 1 MiB.');
  };
  app.use('/api/*', bodyLimit({ maxSize: mostBody, onError }));
  app.onError((error, c) => {
    const { status, body } = failureOf(error, tell);
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    // The rest of such a request is not read, so that nothing can follow it.
    if (status === 413) c.header('Connection', 'close');
    return c.json(body, status);
  });
  readRoutes(app, parts);
  workRoutes(app, parts);
  app.all('/api/*', () => {
    throw new Refusal(404, 'There is no such request. Is the page of another version than the server?');
  });
  app.get('*', async (c) => {
    const { status, body, type, isImmutable } = await staticFile(parts.page, decoded(c.req.path));
    c.header('Content-Type', type);
    c.header('Cache-Control', isImmutable ? 'max-age=31536000, immutable' : 'no-store');
    return c.body(body, status);
  });
  return app;
}

/** What is asked, and changes nothing. */
function readRoutes(app: Hono, { runs, summaries, series, live, previews }: AppParts): void {
  const place = (c: Context): ReturnType<typeof placeOf> => placeOf(runs, c.req.param('run')!);
  app.get('/api/runs', async (c) => c.json(await listRuns(runs, summaries)));
  app.get('/api/runs/:run', async (c) => {
    const found = await place(c);
    return c.json(await describeRun(found, summaries));
  });
  app.get('/api/runs/:run/series', async (c) => {
    const found = await place(c);
    const question = seriesQuestion(c.req.queries());
    // Before the numbers: what is written from now on comes as events.
    const position = await positionOf(found.path);
    const answer: SeriesAnswer = {
      ...(await series.answer(await logOf(found), question)),
      live: position,
    };
    return c.json(answer);
  });
  app.get('/api/runs/:run/live', async (c) => {
    const found = await place(c);
    const after = c.req.header('last-event-id');
    return eventStream((writer) =>
      live.listen(found, after, {
        send: (events) => writer.send(events.map(({ id, event: { type, ...data } }) => ({ type, data, id }))),
        end: () => writer.end(),
      }),
    );
  });
  app.get('/api/runs/:run/samples/:file', async (c) => {
    const found = await place(c);
    const file = c.req.param('file');
    return sendPicture(c, found, file, sampleFileOf(file) && (await picturePath(found, file)));
  });
  app.get('/api/runs/:run/asked/:file', async (c) => {
    const found = await place(c);
    const file = c.req.param('file');
    return sendPicture(
      c,
      found,
      file,
      isAskedFile(file) ? await picturePath(found, 'asked', file) : undefined,
    );
  });
  app.get('/api/runs/:run/preview', async (c) => {
    const bytes = await previews.of(await place(c));
    return c.body(bytes, 200, { 'Content-Type': 'image/png' });
  });
  app.get('/api/machine', async (c) => c.json(await machineAnswer(runs)));
  app.get('/api/compare', async (c) => c.json(await compareRuns(runs, c.req.queries('runs') ?? [])));
  app.get('/api/recipes', (c) => c.json(recipeList()));
}

async function sendPicture(
  c: Context,
  { name }: RunPlace,
  file: string,
  path: string | undefined,
): Promise<Response> {
  if (path === undefined) throw new Refusal(404, `The run "${name}" has no picture "${file}".`);
  const bytes = new Uint8Array(await readFile(path));
  // One that was cut long ago stays so: who shows it sees that.
  if (!isWholePng(bytes) && Date.now() - (await stat(path)).mtimeMs < writtenMs)
    throw new Refusal(503, 'The picture is being written. Ask again in a moment.');
  return c.body(bytes, 200, { 'Content-Type': 'image/png' });
}

async function machineAnswer(runs: string): Promise<MachineAnswer> {
  const free = await freeDisk(runs).catch(() => null);
  return { ...describeMachine(), free: availableMemory(), version, runs, freeDisk: free };
}

function recipeList(): RecipeList {
  const all = Object.entries(recipes).map(([name, { description, config, expects }]) => ({
    name,
    description,
    config: config as Json,
    expects: expects?.layout ?? null,
  }));
  return { recipes: all };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

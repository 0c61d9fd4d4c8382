// Requests that begin something.
import type { Hono } from 'hono';
import { steerRun } from '../../api/steer.ts';
import type { JobList, JobStarted, StartedList } from '../contract.ts';
import { eventStream } from '../live/event-stream.ts';
import { placeOf } from '../run-place.ts';
import { type Jobs, isOver } from './jobs.ts';
import {
  askedConfig,
  bodyOf,
  configRequest,
  pathRequest,
  planRequest,
  sampleRequest,
  steerRequest,
} from './requests.ts';
import type { StartedTrainings } from './started.ts';
import type { WorkFolder } from './work-folder.ts';

export interface WorkParts {
  /** The folder of runs. */
  readonly runs: string;
  readonly jobs: Jobs;
  readonly started: StartedTrainings;
  readonly work: WorkFolder;
}

export function workRoutes(app: Hono, { runs, jobs, started, work }: WorkParts): void {
  const begun = ({ id }: { readonly id: string }): JobStarted => ({ job: id });
  app.post('/api/runs/:run/sample', async (c) => {
    const { name, path } = await placeOf(runs, c.req.param('run'));
    const asked = await bodyOf(c.req, sampleRequest);
    const picture = await work.newFile('samples.png');
    return c.json(begun(jobs.start('sample', name, { kind: 'sample', run: path, asked, picture })), 202);
  });
  app.post('/api/runs/:run/path', async (c) => {
    const { name, path } = await placeOf(runs, c.req.param('run'));
    const asked = await bodyOf(c.req, pathRequest);
    const picture = await work.newFile('path.png');
    return c.json(begun(jobs.start('path', name, { kind: 'path', run: path, asked, picture })), 202);
  });
  app.post('/api/runs/:run/straightness', async (c) => {
    const { name, path } = await placeOf(runs, c.req.param('run'));
    return c.json(begun(jobs.start('straightness', name, { kind: 'straightness', run: path })), 202);
  });
  app.post('/api/runs/:run/steer', async (c) => {
    const { path } = await placeOf(runs, c.req.param('run'));
    const asked = await bodyOf(c.req, steerRequest);
    return c.json(await steerRun(path, asked, { signal: c.req.raw.signal }));
  });
  app.post('/api/doctor', async (c) => {
    const config = askedConfig(await bodyOf(c.req, configRequest));
    return c.json(begun(jobs.start('doctor', null, { kind: 'doctor', config })), 202);
  });
  app.post('/api/plan', async (c) => {
    const { seconds, machine, ...asked } = await bodyOf(c.req, planRequest);
    const config = askedConfig(asked);
    const options = { ...(seconds !== undefined && { seconds }), ...(machine !== undefined && { machine }) };
    return c.json(begun(jobs.start('plan', null, { kind: 'plan', config, ...options })), 202);
  });
  app.post('/api/data/check', async (c) => {
    const config = askedConfig(await bodyOf(c.req, configRequest));
    return c.json(begun(jobs.start('data-check', null, { kind: 'data-check', config })), 202);
  });
  app.post('/api/start', async (c) => {
    const config = askedConfig(await bodyOf(c.req, configRequest));
    return c.json(await started.start(config, work), 201);
  });
  app.get('/api/started', async (c) => {
    const list: StartedList = { started: await started.list() };
    return c.json(list);
  });
  app.get('/api/jobs', (c) => {
    const list: JobList = { jobs: jobs.list() };
    return c.json(list);
  });
  app.get('/api/jobs/:id', (c) => {
    const job = jobs.get(c.req.param('id'));
    if (!c.req.header('accept')?.includes('text/event-stream')) return c.json(job);
    return eventStream((writer) => {
      const send = (now: typeof job): void => {
        writer.send([{ type: 'job', data: { job: now } }]);
        if (isOver(now)) writer.end();
      };
      const stop = jobs.listen(job.id, send);
      send(job);
      return stop;
    });
  });
  app.get('/api/jobs/:id/picture', async (c) => {
    const bytes = await jobs.picture(c.req.param('id'));
    return c.body(bytes, 200, { 'Content-Type': 'image/png' });
  });
  app.delete('/api/jobs/:id', (c) => c.json(jobs.stop(c.req.param('id'))));
}

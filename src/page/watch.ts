import { type Server, createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { RectiflowError } from '../tensor/errors.ts';
import { allowedHosts, isLoopback, namesOf, newToken, urlHost } from './guard.ts';
import { Jobs } from './jobs/jobs.ts';
import { Previews } from './jobs/previews.ts';
import { StartedTrainings } from './jobs/started.ts';
import { WorkFolder } from './jobs/work-folder.ts';
import { LiveRuns } from './live/live-run.ts';
import { Summaries } from './run-summary.ts';
import { SeriesStore } from './series/store.ts';
import { builtPage } from './static-files.ts';

export interface WatchOptions {
  /** The folder of runs, which need not be there yet; `runs` by default. */
  readonly runs?: string | undefined;
  /** 0, the default, takes one that is free. */
  readonly port?: number | undefined;
  /** The address to listen at; 127.0.0.1 by default, which only this machine reaches. */
  readonly host?: string | undefined;
  /** The folder of the page, where it is another than that of this package. */
  readonly page?: string | undefined;
  /** Sentences that the user should read. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Hears of what went wrong by a fault of the program, with all there is to say. */
  readonly onFault?: ((text: string) => void) | undefined;
}

export interface WatchServer {
  /** The link, with the token that all requests need in its fragment. */
  readonly url: string;
  /** Ends it, and what it was asked to do; trainings that were begun go on. */
  close(): Promise<void>;
}

/**
 * Serves a page that shows every run of a folder, while it trains and afterwards. Nothing is done while no page is open.
 * @throws RectiflowError where it cannot listen there
 */
export async function watchRuns(options: WatchOptions = {}): Promise<WatchServer> {
  const { runs = 'runs', port = 0, host = '127.0.0.1', page = builtPage } = options;
  const { onNotice = () => {}, onFault = () => {} } = options;
  // Loaded here, so that nobody who only wants the library waits for them.
  const [{ createApp }, { getRequestListener }] = await Promise.all([
    import('./app.ts'),
    import('@hono/node-server'),
  ]);
  const token = newToken();
  const summaries = new Summaries();
  const work = new WorkFolder();
  const parts = {
    runs,
    page,
    token,
    summaries,
    series: new SeriesStore(),
    live: new LiveRuns(runs, summaries),
    jobs: new Jobs(onFault),
    previews: new Previews(work),
    started: new StartedTrainings(runs),
    work,
    tell: onFault,
  };
  let hosts: ReadonlySet<string> = new Set();
  const app = createApp({ ...parts, hosts: () => hosts });
  const server = createServer(getRequestListener(app.fetch));
  await listen(server, port, host);
  const { port: taken } = server.address() as AddressInfo;
  hosts = allowedHosts(host, taken);
  if (!isLoopback(host))
    onNotice(
      `${host} is reached by other machines too. Whoever has the link can see the runs and begin trainings here, and it is not ` +
        'encrypted: others on the network can read it. Better leave --host out, and reach this machine through ssh -L.',
    );
  return {
    url: `http://${urlHost(namesOf(host)[0] ?? host)}:${taken}/#token=${token}`,
    async close() {
      parts.live.close();
      parts.jobs.close();
      parts.previews.close();
      parts.series.close();
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
      await work.remove();
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => fail(describe(error, port, host)));
    server.listen(port, host, done);
  });
}

function describe(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const where = `watch: ${host} port ${port}`;
  const problems: Readonly<Record<string, string>> = {
    EADDRINUSE: `${where} is in use by another program. Give another --port, or none to take one that is free.`,
    EACCES: `${where} may not be used by you. Give a --port above 1023, or none to take one that is free.`,
    EADDRNOTAVAIL: `${where}: this machine has no such address. Give one that it has as --host, or leave it out.`,
    ENOTFOUND: `${where}: there is no host of that name. Give an address as --host, or leave it out.`,
  };
  const problem = problems[error.code ?? ''];
  return problem === undefined ? error : new RectiflowError('value', problem, { cause: error });
}

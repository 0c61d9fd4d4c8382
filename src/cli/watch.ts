import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from './options.ts';
import { shortPath } from './paths.ts';
import { linesOf, print, printError } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly port: number;
  readonly host: string;
  readonly open: boolean;
}

const mostPort = 65_535;

export function watchCommand(): Command {
  return new Command('watch')
    .summary('show runs in the browser, while they train and afterwards')
    .description(
      'Serves a page that shows every run of a folder, while it trains and afterwards: curves, samples, notices and settings. It ' +
        'prints a link and opens it in the browser. Only this machine reaches it, and only with the token of the link. Nothing ' +
        'is done while no page is open.',
    )
    .argument('[runs]', 'the folder of runs', 'runs')
    .option('-p, --port <number>', 'where to listen; 0 takes one that is free', port, 0)
    .option(
      '--host <address>',
      'the address to listen at; any but the default can be reached by other machines',
      '127.0.0.1',
    )
    .option('--no-open', 'only print the link')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow watch
  rectiflow watch experiments/runs --port 8080 --no-open

Of a machine that you reach by ssh: start it there with --port 8080 --no-open, run "ssh -L 8080:127.0.0.1:8080 machine" here,
and open the link. Ctrl-C ends it; trainings go on.`,
    )
    .action(async (runs: string, { open, ...options }: Options) => {
      await runTask(async ({ signal, onNotice }) => {
        const { watchRuns } = await import('../page/watch.ts');
        const { openBrowser } = await import('../page/open-browser.ts');
        const onFault = (text: string): void => printError(...linesOf(text));
        const server = await watchRuns({ ...options, runs, onNotice, onFault });
        print(`Runs of ${shortPath(runs)}:  ${server.url}`, 'Ctrl-C ends it.');
        if (open) openBrowser(server.url);
        if (!signal.aborted) await once(signal, 'abort');
        await server.close();
      });
    });
}

function port(text: string): number {
  const value = wholeNumber(0)(text);
  if (value <= mostPort) return value;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${mostPort}.`);
}

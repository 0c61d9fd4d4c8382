import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { writeSamplePictures } from '../pictures/sample-pictures.ts';
import { pictureTags } from '../kept/layout.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { SampleWriter } from '../train/gallery.ts';

/** Writes the samples of a run as PNG files into its folder. */
export function pictureFiles(folder: RunFolder): SampleWriter {
  return {
    async write(step, grid) {
      const files = {
        grid: folder.samplePath(step),
        path: folder.stripPath(step),
        ...(grid.sizes && { sizes: folder.sizesPath(step) }),
      };
      try {
        await writeSamplePictures(files, grid);
      } catch (error) {
        if (error instanceof RectiflowError && error.code === 'file')
          for (const file of Object.values(files)) await rm(file, { force: true }).catch(() => {});
        throw error;
      }
      return {
        path: files.grid,
        pictures: {
          [pictureTags.grid]: files.grid,
          ...(grid.path.columns.length > 0 && { [pictureTags.path]: files.path }),
          ...(files.sizes !== undefined && { [pictureTags.sizes]: files.sizes }),
        },
      };
    },
    has: async (step) => existsSync(folder.samplePath(step)),
  };
}

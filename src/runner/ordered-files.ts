// Samples that a run was asked for while it trained, as files in its folder.
import { rm } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { RunConfig } from '../config/config.ts';
import type { SourceFacts } from '../data/source.ts';
import { stepName } from '../runs/checkpoint.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import type { SampleWriter } from '../train/gallery.ts';
import { samplingOf } from '../train/make-ordered.ts';
import { provenanceOf } from './samples/provenance.ts';
import { freeFolder, writeSamples } from './samples/write-samples.ts';

/** Writes them as `rectiflow sample` does: samples/asked/step-0000420, and pictures beside it. */
export function orderedFiles(
  folder: RunFolder,
  config: RunConfig,
  { classNames, record }: SourceFacts,
): NonNullable<SampleWriter['writeOrdered']> {
  const { path: run } = folder;
  const { created, configSha256 } = folder.record;
  const data = { ...(classNames && { classNames }), ...(record && { record }) };
  const inRun = (path: string): string => relative(run, path).split(sep).join('/');
  return async ({ step, order, ...samples }) => {
    await folder.check();
    // There is no checkpoint: the run and the step tell which weights they were.
    const weights = { step, files: { created, config: configSha256 } };
    const { rows, seed } = order;
    const made = provenanceOf(config, weights, { ...samplingOf(order), rows, seed }, order);
    const target = await freeFolder(join(folder.askedSamples, stepName(step)));
    try {
      const { count, view } = await writeSamples(target, { ...samples, step, data, made });
      return { count, folder: inRun(target), view: inRun(view) };
    } catch (error) {
      await rm(target, { recursive: true, force: true }).catch(() => {});
      if (error instanceof RectiflowError) throw error;
      throw fileError(target, systemProblem(error), 'Check the disk, and who may write there', error);
    }
  };
}

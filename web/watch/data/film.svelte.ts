// Samples of the same noise by one checkpoint after the other: a film of what was learnt.
import type { SampleRequest, SampleResult } from '../../../src/page/contract.ts';
import { JobRun } from './job.svelte.ts';

export interface FilmFrame {
  readonly step: number;
  /** The address of its picture. */
  readonly picture: string;
}

export class FilmRun {
  readonly job: JobRun = new JobRun();
  frames: readonly FilmFrame[] = $state.raw([]);
  isBusy: boolean = $state(false);
  /** Of the run's samples; null as long as none were made. */
  hasPictures: boolean | null = $state(null);
  #film = 0;

  /**
   * Ends early where one fails or is stopped: those before it stay.
   * @param path where samples are asked for
   * @param request but for the checkpoint
   */
  async run(path: string, request: SampleRequest, steps: readonly number[]): Promise<void> {
    const film = ++this.#film;
    this.frames = [];
    this.isBusy = true;
    for (const checkpoint of steps) {
      await this.job.run(path, { ...request, checkpoint });
      if (film !== this.#film) return;
      const { job } = this.job;
      if (job?.state !== 'done') break;
      const { step, hasPicture } = job.result as SampleResult;
      this.hasPictures = hasPicture;
      if (!hasPicture) break;
      this.frames = [...this.frames, { step, picture: `api/jobs/${encodeURIComponent(job.id)}/picture` }];
    }
    this.isBusy = false;
  }

  /** Looks no more, and asks for no further ones. */
  leave(): void {
    this.#film++;
    this.job.leave();
  }
}

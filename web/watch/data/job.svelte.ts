// A job of the server, from the request to its end.
import type { Job, JobStarted } from '../../../src/page/contract.ts';
import { get, post, request, sentence } from './client.ts';
import { follow } from './events.ts';

const OVER = new Set(['done', 'failed', 'stopped']);

export class JobRun {
  job: Job | null = $state.raw(null);
  /** Why it failed, or could not be begun. */
  error: string | null = $state(null);
  isBusy: boolean = $state(false);
  #stopping = new AbortController();

  /** @param path where the job is begun @param body what it is asked */
  async run(path: string, body: unknown): Promise<void> {
    this.leave();
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.job = null;
    this.error = null;
    this.isBusy = true;
    try {
      const { job } = await post<JobStarted>(path, body);
      const address = `api/jobs/${encodeURIComponent(job)}`;
      this.job = await get<Job>(address, signal);
      const take = (data: unknown): Job => (data as { readonly job: Job }).job;
      if (!OVER.has(this.job.state)) {
        await follow(address, {
          signal,
          onEvent: (_, data) => (this.job = take(data)),
          isLast: (_, data) => OVER.has(take(data).state),
        });
      }
      this.error = this.job.error;
    } catch (error) {
      if (!signal.aborted) this.error = sentence(error);
    }
    if (!signal.aborted) this.isBusy = false;
  }

  /** Asks the server to stop it. */
  async stop(): Promise<void> {
    if (this.job === null) return;
    try {
      await request(`api/jobs/${encodeURIComponent(this.job.id)}`, { method: 'DELETE' });
    } catch (error) {
      this.error = sentence(error);
    }
  }

  /** Looks no more; the job goes on. */
  leave(): void {
    this.#stopping.abort();
    this.isBusy = false;
  }
}

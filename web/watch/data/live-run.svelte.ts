// What is known of one run: asked for once, and kept up with by the stream of its events.
import type {
  FieldSeries,
  LogRecord,
  RunDetails,
  RunList,
  SeriesAnswer,
} from '../../../src/page/contract.ts';
import { type XAxis, type Line, lineOf, splice, stepsBetween } from '../../parts/columns.ts';
import type { Mark } from '../../parts/marks.ts';
import { RequestError, get, ofRun, sentence } from './client.ts';
import { follow, pause } from './events.ts';
import { fieldQuestions, joinAnswers, unknownFields } from './fields.ts';
import { type LiveData, upsert } from './live-data.ts';

/** Records that are kept beside what the server has summed up; with more, it is asked again. */
const MOST_RECORDS = 2000;
/** Milliseconds between two looks at what came, however many records a second there are. */
const FLUSH = 1000;
/** Milliseconds between two looks whether a run that is gone is back. */
const BACK = 3000;
const POINTS = 1500;

export class LiveRun {
  readonly name: string;
  details: RunDetails | null = $state.raw(null);
  series: SeriesAnswer | null = $state.raw(null);
  /** Finer numbers of the piece that is zoomed into, by its steps. */
  detail: { readonly from: number; readonly to: number; readonly answer: SeriesAnswer } | null =
    $state.raw(null);
  /** Since `series`. */
  later: readonly LogRecord[] = $state.raw([]);
  /** Why no events come at the moment; null while they do. */
  lost: string | null = $state(null);
  /** What went wrong, for people; the rest is as it was before. */
  error: string | null = $state(null);
  /** Why the run is not there any more. */
  gone: string | null = $state(null);
  readonly #stopping = new AbortController();
  /** The steps that are zoomed into. */
  #shown: readonly [number, number] | null = null;
  /** New fields whose groups were asked for, which the server need not have. */
  readonly #asked = new Set<string>();
  #pending: LogRecord[] = [];
  /** Whether what is pending waits for somebody to look. */
  #isHidden = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Follows the run until `stop`, also where it is deleted and comes back. */
  async start(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const isMissing = await this.#follow();
      if (!isMissing || signal.aborted) return;
      await this.#untilBack();
      [this.gone, this.error, this.later, this.#pending] = [null, null, [], []];
    }
  }

  /** @returns whether it ended because the run is not there */
  async #follow(): Promise<boolean> {
    try {
      await this.#load();
      const position = this.details?.live;
      await follow(ofRun(this.name, '/live'), {
        signal: this.#stopping.signal,
        ...(position === undefined ? {} : { position }),
        onEvent: (type, data) => this.#take(type, data as LiveData),
        onConnection: (isConnected, why = 'connection lost, trying again…') =>
          (this.lost = isConnected ? null : why),
        isLast: (type) => type === 'gone',
      });
      return this.gone !== null;
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      this.error = sentence(error);
      const isMissing = error instanceof RequestError && error.status === 404;
      if (isMissing && this.details !== null) this.gone = this.error;
      return isMissing;
    }
  }

  /** The list is asked: a browser complains of each request for what is not there. */
  async #untilBack(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await pause(BACK, signal);
      if (document.hidden) continue;
      const list = await get<RunList>('api/runs', signal).catch(() => undefined);
      if (list?.runs.some(({ name }) => name === this.name)) return;
    }
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
  }

  /** A line of a field; finer where the piece that is zoomed into is known. */
  line(field: string, axis: XAxis, label: string, colour: string): Line {
    const base: FieldSeries | undefined = this.series?.fields[field];
    const finer = this.detail?.answer.fields[field];
    const isFiner = base !== undefined && finer !== undefined;
    const found = isFiner ? splice(base, finer, this.detail!.from, this.detail!.to) : base;
    return { label, colour, ...lineOf(found, this.later, field, axis) };
  }

  /** @param range of x that is shown; null for all @throws RequestError where finer numbers cannot be had */
  async zoom(range: readonly [number, number] | null, axis: XAxis): Promise<void> {
    this.#shown = range === null ? null : (this.#stepsOf(range, axis) ?? null);
    if (this.#shown === null) this.detail = null;
    else await this.#refine();
  }

  /** Asks for what is zoomed into, where points stand for several records; until the answer, what is known stays. */
  async #refine(): Promise<void> {
    const shown = this.#shown;
    const { fields, steps } = this.series ?? { fields: {}, steps: null };
    const isRaw = Object.values(fields).every((field) => field.isRaw);
    // What came since is known one by one.
    if (shown === null || isRaw || shown[0] > (steps?.last ?? -1)) {
      this.detail = null;
      return;
    }
    const [from, to] = shown;
    const answer = await this.#ask(`&from=${from}&to=${to}`);
    // The answer to an earlier question can be the later one.
    if (shown === this.#shown) this.detail = { from, to, answer };
  }

  #stepsOf(range: readonly [number, number], axis: XAxis): readonly [number, number] | undefined {
    if (axis === 'step') return [Math.max(0, Math.floor(range[0])), Math.max(0, Math.ceil(range[1]))];
    const fields = Object.entries(this.series?.fields ?? {});
    const longest = fields.toSorted(([, a], [, b]) => b.step.length - a.step.length)[0];
    if (longest === undefined) return undefined;
    const [name, series] = longest;
    return stepsBetween(lineOf(series, this.later, name, axis), range);
  }

  marks(): Mark[] {
    const { details } = this;
    if (details === null) return [];
    return [
      ...details.checkpoints.map(({ step }) => ({
        step,
        kind: 'checkpoint' as const,
        text: 'checkpoint',
      })),
      ...details.steering.map((event) => ({
        step: event.step,
        kind: 'steering' as const,
        text: event.kind,
      })),
      ...details.badSteps.map(({ step, finding }) => ({
        step,
        kind: 'bad' as const,
        text: finding ?? 'not finite',
      })),
      ...details.notices.map(({ step, text }) => ({ step, kind: 'notice' as const, text })),
    ];
  }

  async #ask(rest = ''): Promise<SeriesAnswer> {
    const questions = fieldQuestions(this.details?.groups ?? []);
    const ask = (fields: string): Promise<SeriesAnswer> =>
      get(ofRun(this.name, `/series?points=${POINTS}&fields=${fields}${rest}`), this.#stopping.signal);
    return joinAnswers(await Promise.all(questions.map(ask)));
  }

  async #load(): Promise<void> {
    this.details = await get<RunDetails>(ofRun(this.name), this.#stopping.signal);
    await this.#loadSeries();
  }

  async #loadSeries(): Promise<void> {
    clearTimeout(this.#again);
    this.series = await this.#ask();
    const { steps, isApproximate, notes } = this.series;
    const last = steps?.last ?? -1;
    this.later = this.later.filter(({ step }) => step > last);
    // With a note, the log is too long to be ever read whole.
    if (isApproximate && notes.length === 0) this.#soon(() => this.#loadSeries(), 1000);
    // What was a sample of lines, or is of a log that was cut, is asked for again.
    if (this.#shown !== null && !isApproximate) await this.#refine();
  }

  #soon(work: () => Promise<void>, milliseconds: number): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      work().catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.error = sentence(error);
      });
    }, milliseconds);
  }

  #take(type: string, data: LiveData): void {
    const { details } = this;
    if (details === null) return;
    if (type === 'record') this.#push(data.record!);
    else if (type === 'cut' || type === 'behind') this.#anew(type === 'cut' ? data.step! : Infinity);
    else if (type === 'gone') this.gone = data.sentence ?? 'Its folder is gone.';
    else this.details = upsert(details, data);
  }

  #push(record: LogRecord): void {
    this.#pending.push(record);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH);
  }

  /** Nothing is drawn where nobody looks, until somebody does. */
  #flush(): void {
    this.#timer = undefined;
    if (document.hidden && this.#pending.length <= MOST_RECORDS) {
      const options = { once: true, signal: this.#stopping.signal };
      if (!this.#isHidden) document.addEventListener('visibilitychange', () => this.#seen(), options);
      this.#isHidden = true;
      return;
    }
    const fresh = this.#pending;
    this.later = [...this.later, ...fresh];
    this.#pending = [];
    if (this.#hasMoreFields(fresh)) this.#soon(() => this.#load(), 0);
    else if (this.later.length > MOST_RECORDS) this.#soon(() => this.#loadSeries(), 0);
  }

  #seen(): void {
    this.#isHidden = false;
    this.#flush();
  }

  /** Whether records have fields that are new here. */
  #hasMoreFields(records: readonly LogRecord[]): boolean {
    const groups = this.details?.groups ?? [];
    const found = records.flatMap((record) => unknownFields(groups, record));
    const more = found.filter((name) => !this.#asked.has(name));
    for (const name of more) this.#asked.add(name);
    return more.length > 0;
  }

  /** @param step behind which records do not count any more */
  #anew(step: number): void {
    this.#pending = this.#pending.filter((record) => record.step <= step);
    this.later = this.later.filter((record) => record.step <= step);
    this.#soon(() => this.#load(), 200);
  }
}

// Chooses by measurement how the work of programs is shared out, once for each class of it, and keeps what it chose.
import type { MemoryPlan, Program } from '../../../program/index.ts';
import { counted } from '../../../tensor/counted.ts';
import { serial } from '../../../tensor/lifetime.ts';
import type { TuningChoice, TuningRecord, TuningStore } from '../../backend.ts';
import type { Tuning } from '../dispatch.ts';
import type { Matrices } from '../matrices.ts';
import type { Machine } from '../memory.ts';
import { type Found, dispatchesBy, worksOf } from './found.ts';
import { choicesOf, isRecord, parseRecord, withChoices } from './record.ts';
import { type Candidate, timeWays } from './time.ts';
import { kernelVersions } from './versions.ts';
import type { FixedTuning, Work } from './work.ts';

export interface TunerOptions {
  readonly tuningStore?: TuningStore;
  readonly tuningBudget?: number;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Of the whole budget, what the shaders of one class may take to compile. */
const compiling = 0.25;
/** Another way than the usual one must be faster by this share: else noise would choose. */
const margin = 0.03;

export class Tuner implements Tuning {
  readonly lanes: number;
  readonly products: FixedTuning['products'];
  readonly subgroups: boolean;
  readonly matrices?: Matrices;
  readonly #machine: Machine;
  readonly #cache: TuningStore | undefined;
  readonly #tell: (text: string) => void;
  readonly #inTurn = serial();
  readonly #choices = new Map<string, TuningChoice>();
  #cached: ReadonlyMap<string, TuningChoice> | undefined;
  #run: TuningStore | undefined;
  readonly #budget: number;
  #left: number;

  constructor(
    machine: Machine,
    { lanes, products, subgroups = false, matrices }: FixedTuning,
    options: TunerOptions = {},
  ) {
    const { tuningStore, tuningBudget = 3000, onNotice = () => {} } = options;
    this.lanes = lanes;
    this.products = products;
    this.subgroups = subgroups;
    if (matrices) this.matrices = matrices;
    this.#machine = machine;
    this.#cache = tuningStore;
    this.#budget = tuningBudget;
    this.#left = tuningBudget;
    this.#tell = onNotice;
  }

  wayOf<W>({ key, ways, usual }: Work<W>): W {
    return ways[this.#choices.get(key)?.way ?? usual] ?? ways[usual]!;
  }

  /** Chooses for a program what was not chosen yet, before it is bound. */
  prepare(program: Program, plan: MemoryPlan): Promise<void> {
    return this.#inTurn(() => this.#prepare(program, plan));
  }

  /** As `Backend.keepTuning` does. */
  keepIn(store: TuningStore): Promise<() => void> {
    return this.#inTurn(async () => {
      const record = await this.#read(store);
      for (const [key, choice] of choicesOf(record, this.#device)) this.#choices.set(key, choice);
      const others = Object.keys(record?.devices ?? {});
      if (others.length > 0 && !others.includes(this.#device))
        this.#tell(
          `${store.name} holds what was chosen for ${others.join(' and ')}, and this is ${this.#device}: numbers may differ in their last bits.`,
        );
      this.#run = store;
      await this.#write(store, this.#choices);
      return () => {
        if (this.#run === store) this.#run = undefined;
      };
    });
  }

  get #device(): string {
    return this.#machine.gpu.facts.identity;
  }

  async #prepare(program: Program, plan: MemoryPlan): Promise<void> {
    const unknown = worksOf(program, plan, this).filter(
      ({ work }) => !isCurrent(this.#choices.get(work.key), work),
    );
    if (unknown.length === 0) return;
    this.#cached ??= choicesOf(this.#cache && (await this.#read(this.#cache)), this.#device);
    const measured = new Map<string, TuningChoice>();
    const began = performance.now();
    const hasTime = this.#left > 0;
    let usual = 0;
    for (const found of unknown) {
      const { key, form } = found.work;
      const cached = this.#cached.get(key);
      if (isCurrent(cached, found.work)) {
        this.#choices.set(key, cached!);
        continue;
      }
      const chosen = await this.#choose(found, plan);
      const choice = { kernels: kernelVersions()[form], ...chosen };
      this.#choices.set(key, choice);
      if (choice.milliseconds === undefined) usual++;
      else measured.set(key, choice);
    }
    const kept =
      this.#cache && measured.size > 0 && (await this.#write(this.#cache, measured))
        ? this.#cache.name
        : undefined;
    if (this.#run) await this.#write(this.#run, this.#choices);
    const isTimed = hasTime && measured.size + usual > 0;
    if (isTimed) this.#tell(this.#describe(measured.size, usual, performance.now() - began, kept));
  }

  #describe(measured: number, usual: number, milliseconds: number, kept: string | undefined): string {
    const { name } = this.#machine.gpu.facts;
    const seconds = (milliseconds / 1000).toFixed(1);
    const works = (count: number): string => `${counted(count, 'kind')} of work`;
    if (measured === 0)
      return `${name} was not tuned: in ${seconds} s no two ways could be compared, and ${works(usual)} are done the usual way.`;
    const rest = usual === 0 ? '' : `; for ${usual} more there was no time, and they are done the usual way`;
    const where = kept === undefined ? '' : ` What was found is kept in ${kept}.`;
    return `${name} was tuned: in ${seconds} s the fastest way was found for ${works(measured)}${rest}.${where}`;
  }

  /** The usual way where there is no time left, or nothing to compare. */
  async #choose({ work, node }: Found, plan: MemoryPlan): Promise<Omit<TuningChoice, 'kernels'>> {
    const { key, ways, usual } = work;
    if (this.#left <= 0) return { way: usual };
    const seen = new Set<string>();
    const names = [usual, ...Object.keys(ways).filter((name) => name !== usual)];
    const candidates = names
      .map((way): Candidate => ({ way, dispatches: dispatchesBy(node, plan, { tuning: this, key, way }) }))
      // Ways may come to the same for an extent.
      .filter(({ dispatches }) => {
        const text = JSON.stringify(dispatches.map(({ code, sizes, groups }) => [code, sizes, groups]));
        return !seen.has(text) && seen.add(text) !== undefined;
      });
    const began = performance.now();
    const times = await this.#machine.exclusively(() =>
      timeWays(this.#machine.gpu, node, {
        candidates,
        subgroups: this.subgroups,
        compiledBy: began + Math.min(this.#left, compiling * this.#budget),
        deadline: began + this.#left,
      }),
    );
    this.#left -= performance.now() - began;
    const [fastest] = [...times].toSorted(([, a], [, b]) => a - b);
    const ofUsual = times.get(usual) ?? Infinity;
    if (fastest === undefined || (times.size < 2 && candidates.length > 1)) return { way: usual };
    const [way, milliseconds] = fastest[1] < (1 - margin) * ofUsual ? fastest : [usual, ofUsual];
    return { way, milliseconds };
  }

  /** Undefined where there is nothing, or nothing that can be read. */
  async #read(store: TuningStore): Promise<TuningRecord | undefined> {
    try {
      const kept = await store.read();
      return kept === undefined ? undefined : parseRecord(kept);
    } catch (error) {
      this.#tell(
        `${store.name} does not say how this GPU is fastest: ${(error as Error).message}. What it held is chosen anew, and numbers may differ in their last bits.`,
      );
      return undefined;
    }
  }

  /** Beside what others have written meanwhile. @returns whether it is kept there */
  async #write(store: TuningStore, choices: ReadonlyMap<string, TuningChoice>): Promise<boolean> {
    if (store.write === undefined || choices.size === 0) return false;
    try {
      const kept = await store.read().catch(() => undefined);
      const before = isRecord(kept) ? kept : undefined;
      const record = withChoices(before, this.#device, choices);
      if (record) await store.write(record);
      return true;
    } catch (error) {
      this.#tell(
        `${store.name} cannot keep how this GPU is fastest: ${(error as Error).message}. It is found out anew at the next start.`,
      );
      return false;
    }
  }
}

/** Whether a choice is of these kernels. */
function isCurrent(choice: TuningChoice | undefined, { form }: Work<unknown>): boolean {
  return choice?.kernels === kernelVersions()[form];
}

// What can be said of a set's captions: how long they are, what a model is told of them, and what it is not.
import { createHash } from 'node:crypto';
import { counted } from '../tensor/counted.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { CaptionMeter } from '../data/caption-meter.ts';
import { plainCaption } from '../tokenizers/plain-caption.ts';

export interface TokenReport {
  /** model.text.length */
  readonly length: number;
  readonly longest: number;
  readonly mean: number;
  /** Captions that are longer than `length`. */
  readonly cut: number;
  /** Different captions of which so much is cut that they become the same as others. */
  readonly merged: number;
  /** Captions that no model can be told, and what is wrong with the first. */
  readonly untold: { readonly count: number; readonly problem?: string };
}

export interface CaptionReport {
  readonly count: number;
  readonly empty: number;
  /** How many there are without those that come again; case and spaces make no difference. */
  readonly different: number;
  /** Absent where nothing is known of the model that is to learn them. */
  readonly tokens?: TokenReport;
}

/** Counts captions. Memory grows by some numbers for each, not by what they hold. */
export class CaptionCensus {
  readonly #meter: CaptionMeter | undefined;
  readonly #different = new Set<number>();
  /** Of captions that are cut, or as long: the different ones that become each. */
  readonly #kept = new Map<number, Set<number>>();
  readonly #tokens = { measured: 0, sum: 0, longest: 0, cut: 0 };
  #count = 0;
  #empty = 0;
  #untold: { count: number; problem?: string } = { count: 0 };

  constructor(meter?: CaptionMeter) {
    this.#meter = meter;
  }

  add(caption: string): void {
    const plain = plainCaption(caption);
    const key = digest(plain);
    this.#count++;
    this.#different.add(key);
    if (plain === '') this.#empty++;
    if (this.#meter) this.#measure(this.#meter, caption, key);
  }

  report(): CaptionReport {
    const groups = Array.from(this.#kept.values(), ({ size }) => size).filter((size) => size > 1);
    const { measured, sum, longest, cut } = this.#tokens;
    return {
      count: this.#count,
      empty: this.#empty,
      different: this.#different.size,
      ...(this.#meter && {
        tokens: {
          length: this.#meter.length,
          longest,
          mean: measured === 0 ? 0 : sum / measured,
          cut,
          merged: groups.reduce((total, size) => total + size, 0),
          untold: { ...this.#untold },
        },
      }),
    };
  }

  #measure(meter: CaptionMeter, caption: string, key: number): void {
    let measured: ReturnType<CaptionMeter['measure']>;
    try {
      measured = meter.measure(caption);
    } catch (error) {
      if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
      this.#untold = { problem: error.message, ...this.#untold, count: this.#untold.count + 1 };
      return;
    }
    const { tokens, kept } = measured;
    const all = this.#tokens;
    all.measured++;
    all.sum += tokens;
    all.longest = Math.max(all.longest, tokens);
    if (tokens > meter.length) all.cut++;
    if (tokens < meter.length || kept === undefined) return;
    const group = digest(kept);
    if (!this.#kept.has(group)) this.#kept.set(group, new Set());
    this.#kept.get(group)!.add(key);
  }
}

/** `8.2 tokens on average, 31 at most; the model is told up to 32 of each` */
export function describeTokens({ length, longest, mean }: TokenReport): string {
  return `${mean.toPrecision(3)} tokens on average, ${longest} at most; the model is told up to ${length} of each`;
}

/** What no model can be told: nothing can be trained on these. */
export function untoldCaptions({ count, tokens }: CaptionReport): string[] {
  if (tokens === undefined || tokens.untold.count === 0) return [];
  const { untold } = tokens;
  return [
    `The model can be told nothing of ${untold.count} of ${counted(count, 'caption')}: ${untold.problem}`,
  ];
}

/** What is lost of captions, as sentences with what to do about it. */
export function lostCaptions({ count, empty, different, tokens }: CaptionReport): string[] {
  const sentences: string[] = [];
  if (tokens && tokens.cut > 0) {
    const { cut, length, longest, mean, merged } = tokens;
    const same =
      merged > 0
        ? `, and ${merged} different ones become the same as others, which it cannot tell apart`
        : '';
    sentences.push(
      `${cut} of ${counted(count, 'caption')} ${cut === 1 ? 'is' : 'are'} longer than model.text.length = ${length} tokens ` +
        `(longest ${longest}, mean ${mean.toPrecision(3)}): the model is not told the rest${same}. ` +
        `Set model.text.length to up to ${longest}, or shorten them.`,
    );
  }
  if (empty > 0 && empty < count)
    sentences.push(
      `${empty} of ${counted(count, 'caption')} ${empty === 1 ? 'is' : 'are'} empty: the model is told nothing of these. Write them, or leave the samples out.`,
    );
  if (different === 1 && count > 1)
    sentences.push(
      `All ${counted(count, 'caption')} are the same: they tell a model nothing. Write others, or set data.condition to none.`,
    );
  return sentences;
}

/** 48 bits as a number, which take little memory: of a million captions, two differ and share them once in 500 sets. */
export function digest(text: string | Uint8Array): number {
  return Number.parseInt(createHash('sha256').update(text).digest('hex').slice(0, 12), 16);
}

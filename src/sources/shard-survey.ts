import { LIKE_CAPTIONS, LIKE_LABELS, mayTell, unusedColumns } from './annotation-columns.ts';
import { unreadFormatOf } from './images/unread-formats.ts';
import type { Condition } from './settings.ts';
import type { Captions } from '../data/source.ts';
import type { Unused } from '../data/told.ts';

/** Names that are kept of each kind of member, and kinds and keys that are told apart: shards have millions of members. */
const SHOWN = 5;
const MOST_KINDS = 1000;

/** Members that may say what all images show. */
const TABLES: ReadonlySet<string> = new Set(['jsonl', 'csv', 'tsv', 'parquet']);

interface Kind {
  count: number;
  readonly examples: string[];
}

/** What the shards of a set hold: where labels and captions are from, and what is passed over. */
export class ShardSurvey {
  readonly #labels = new Map<string, Set<string>>();
  readonly #captions = new Map<string, Set<string>>();
  readonly #members = new Map<string, Kind>();
  readonly #keys = new Set<string>();
  #hasSeveral = false;

  /** Whether a sample has several captions. */
  get hasSeveral(): boolean {
    return this.#hasSeveral;
  }

  /** A member of a sample's that is not read. */
  passOver(ending: string, name: string): void {
    const kind = this.#members.get(ending) ?? { count: 0, examples: [] };
    kind.count++;
    if (kind.examples.length < SHOWN) kind.examples.push(name);
    if (this.#members.size < MOST_KINDS) this.#members.set(ending, kind);
  }

  /** @param key of a json member */
  addLabel(from: string, key?: string): void {
    add(this.#labels, from, key);
  }

  addCaptions(from: string, captions: Captions, key?: string): void {
    add(this.#captions, from, key);
    this.#hasSeveral ||= typeof captions !== 'string';
  }

  addKeys(record: object): void {
    for (const key in record) if (this.#keys.size < MOST_KINDS) this.#keys.add(key);
  }

  /** Where labels and captions are from: `cls members`, `json members, key caption`. */
  get told(): { label?: string; caption?: string } {
    return {
      ...(this.#labels.size > 0 && { label: describe(this.#labels) }),
      ...(this.#captions.size > 0 && { caption: describe(this.#captions) }),
    };
  }

  unused(condition: Condition): Unused[] {
    const told = { captions: this.#captions.size > 0, labels: this.#labels.size > 0 };
    const kinds = Array.from(this.#members, ([ending, { count, examples }]): Unused => {
      const advice = adviceOn(ending, told, condition);
      return { what: `${ending} member`, count, examples, ...(advice !== undefined && { advice }) };
    });
    const used = [...this.#labels.values(), ...this.#captions.values()].flatMap((keys) => [...keys]);
    return [...kinds, ...unusedColumns([...this.#keys], used, told, condition, 'key')];
  }
}

function add(kinds: Map<string, Set<string>>, from: string, key: string | undefined): void {
  const keys = kinds.get(from) ?? new Set();
  if (key !== undefined) keys.add(key);
  kinds.set(from, keys);
}

function describe(kinds: ReadonlyMap<string, ReadonlySet<string>>): string {
  const parts = Array.from(kinds, ([from, keys]) =>
    keys.size === 0 ? from : `${from}, key ${[...keys].join(' or ')}`,
  );
  return parts.join(' and ');
}

function adviceOn(
  ending: string,
  told: { readonly captions: boolean; readonly labels: boolean },
  condition: Condition,
): string | undefined {
  const unread = unreadFormatOf(ending);
  if (unread) return `${unread.advice}.`;
  const mayCaption = mayTell(condition, 'caption');
  if (LIKE_CAPTIONS.test(ending) && mayCaption && !told.captions) {
    return `If they hold captions, set data.captionExtensions to [.${ending}].`;
  }
  const mayLabel = mayTell(condition, 'class');
  if (TABLES.has(ending) && (mayCaption || mayLabel) && !told.captions && !told.labels) {
    return 'Captions and classes are read from members beside each image, as 0.txt and 0.cls beside 0.png: write them so.';
  }
  if (!LIKE_LABELS.test(ending) || !mayLabel || told.labels || told.captions) return undefined;
  return 'Classes are read from cls and json members: if these hold the numbers of classes, end their names in .cls.';
}

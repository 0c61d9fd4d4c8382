// The tables of an .h5ad file, obs (cells) and var (genes), in the layouts that anndata has written:
//   0.8 and later  a group of columns; a categorical column is a group with codes and categories, one of which values may be
//                  missing (nullable) a group of values and a mask
//   0.7            a group of columns; codes refer to their categories under __categories
//   until 0.6      one compound dataset; categories in uns/<column>_categories
import { counted } from '../../tensor/counted.ts';
import { dataError } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import {
  type Dataset,
  type Group,
  type Hdf5File,
  enumeration,
  fieldNames,
  isDataset,
  isGroup,
  isText,
  rowCount,
} from './hdf5.ts';

/** A column as classes. */
export interface Categories {
  readonly names: readonly string[];
  /** One per row, in [0, names.length); -1 where it is missing. */
  readonly codes: Int32Array;
  /** Whether they are called False and True because they were booleans. */
  readonly areBooleans?: boolean;
}

/** Rows of a compound dataset are arrays of JavaScript until their column is taken: this many at a time. */
const COMPOUND_BLOCK = 8192;
const INDEX_NAMES = ['_index', 'index'];

type Value = string | number | boolean;

export class Table {
  readonly path: string;
  private readonly file: Hdf5File;
  private readonly object: Group | Dataset;

  /**
   * @param path of the table: obs, var, raw/var or raw.var
   * @throws RectiflowError when the file has none
   */
  constructor(file: Hdf5File, path: string) {
    const object = file.find(path);
    if (object === undefined) {
      throw dataError(file.path, `has no ${path}`, 'Check that it is an AnnData file (.h5ad)');
    }
    this.path = path;
    this.file = file;
    this.object = object;
  }

  /** Columns that can be read by name, without the index. */
  get columns(): string[] {
    const { object } = this;
    const names = isGroup(object) ? object.keys() : (fieldNames(object) ?? []);
    const index = this.indexName();
    return names.filter((name) => name !== index && name !== '__categories');
  }

  get rows(): number {
    return rowCount(isDataset(this.object) ? this.object : this.indexColumn());
  }

  /** The names of rows [start, end): of cells or genes. */
  index(start: number, end: number): string[] {
    const { object, file } = this;
    if (isGroup(object)) return file.strings(this.indexColumn(), start, end);
    const field = fieldNames(object)?.indexOf(this.indexName()) ?? -1;
    if (field < 0) throw this.withoutIndex();
    return file.field(object, field, start, end).map(String);
  }

  /**
   * A column as classes: a categorical one, or strings or whole numbers, whose values are then sorted. Categories that no row
   * has are left out.
   * @throws RectiflowError when there is no such column, or it holds something else
   */
  categories(column: string): Categories {
    const { columns, file, path, object } = this;
    if (!columns.includes(column)) {
      const list = columns.length === 0 ? 'It has no columns' : `It has ${columns.join(', ')}`;
      throw dataError(file.path, `${path} has no column ${column}`, `${list}.${didYouMean(column, columns)}`);
    }
    const where = `${path}/${column}`;
    if (isDataset(object)) return this.fromField(object, column, where);
    const found = file.find(where)!;
    if (isDataset(found)) {
      const names = file.follow(found, 'categories');
      return names === undefined
        ? this.fromValues(this.read(found), where)
        : this.fromCodes(this.read(found), this.read(names), where);
    }
    const [codes, names] = [this.dataset(`${where}/codes`), this.dataset(`${where}/categories`)];
    if (codes !== undefined && names !== undefined) {
      return this.fromCodes(this.read(codes), this.read(names), where);
    }
    const [values, mask] = [this.dataset(`${where}/values`), this.dataset(`${where}/mask`)];
    if (values === undefined || mask === undefined) throw this.unreadable(where);
    const masked = file.numbers(mask, 0, rowCount(mask));
    return this.fromValues(
      this.read(values).map((value, row) => (masked[row] === 0 ? value : undefined)),
      where,
    );
  }

  /** The dataset at a place, or the values of a nullable one. */
  private dataset(place: string): Dataset | undefined {
    const found = this.file.find(place);
    if (found === undefined || isDataset(found)) return found;
    const values = this.file.find(`${place}/values`);
    return values !== undefined && isDataset(values) ? values : undefined;
  }

  private indexColumn(): Dataset {
    const column = this.dataset(`${this.path}/${this.indexName()}`);
    if (column === undefined) throw this.withoutIndex();
    return column;
  }

  private withoutIndex(): Error {
    return dataError(
      this.file.path,
      `${this.path} has no index`,
      'Write the file again with a current anndata',
    );
  }

  private indexName(): string {
    const { object, file } = this;
    if (isGroup(object)) return String(file.attribute(object, '_index') ?? '_index');
    return fieldNames(object)?.find((name) => INDEX_NAMES.includes(name)) ?? '';
  }

  private read(dataset: Dataset): Value[] {
    const end = rowCount(dataset);
    if (isText(dataset)) return this.file.strings(dataset, 0, end);
    const numbers = Array.from(this.file.numbers(dataset, 0, end));
    const members = enumeration(dataset);
    if (members === undefined) return numbers;
    const isBoolean = [...members.values()].every((name, value) => name === ['FALSE', 'TRUE'][value]);
    return numbers.map((value) => (isBoolean ? value === 1 : (members.get(value) ?? value)));
  }

  private fromField(object: Dataset, column: string, where: string): Categories {
    const field = fieldNames(object)!.indexOf(column);
    const values: Value[] = [];
    for (let start = 0; start < rowCount(object); start += COMPOUND_BLOCK) {
      const end = Math.min(rowCount(object), start + COMPOUND_BLOCK);
      values.push(...this.file.field(object, field, start, end));
    }
    const names = this.file.find(`uns/${column}_categories`);
    return names !== undefined && isDataset(names)
      ? this.fromCodes(values, this.read(names), where)
      : this.fromValues(values, where);
  }

  private fromCodes(codes: readonly Value[], names: readonly Value[], where: string): Categories {
    this.checkLength(codes.length, where);
    codes.forEach((code, row) => {
      if (typeof code === 'number' && Number.isInteger(code) && code >= -1 && code < names.length) return;
      const problem = `${where} has code ${code} in row ${row}, there are ${names.length} categories`;
      throw dataError(this.file.path, problem, 'Write the file again: codes run from 0 (-1: missing)');
    });
    const categories = dropUnused(Int32Array.from(codes as readonly number[]), names.map(nameOf));
    return { ...categories, areBooleans: names.every((name) => typeof name === 'boolean') };
  }

  private fromValues(all: readonly (Value | undefined)[], where: string): Categories {
    this.checkLength(all.length, where);
    // Whole numbers some of which are missing are written as fractional ones, with NaN.
    const values = all.map((value) => (Number.isNaN(value) ? undefined : value));
    if (values.some((value) => typeof value === 'number' && !Number.isInteger(value))) {
      throw this.unreadable(where);
    }
    const known = [...new Set(values.filter((value) => value !== undefined))].toSorted((a, b) =>
      typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
    );
    const codeOf = new Map(known.map((value, code) => [value, code]));
    const codes = Int32Array.from(values, (value) => (value === undefined ? -1 : codeOf.get(value)!));
    const areBooleans = known.every((value) => typeof value === 'boolean');
    return { names: known.map(nameOf), codes, areBooleans };
  }

  private checkLength(length: number, where: string): void {
    if (length === this.rows) return;
    const problem = `${where} has ${counted(length, 'value')}, ${this.path} ${counted(this.rows, 'row')}`;
    throw dataError(this.file.path, problem, 'Write the file again');
  }

  private unreadable(where: string): Error {
    const advice = `Choose a column of categories, strings or whole numbers: ${this.columns.join(', ')}`;
    return dataError(this.file.path, `${where} holds no classes`, advice);
  }
}

/** As Python writes it. */
function nameOf(value: Value): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

/** Without the classes that no row has. */
export function dropUnused(codes: Int32Array, names: readonly string[]): Categories {
  const used = [...new Set(codes)].filter((code) => code >= 0).toSorted((a, b) => a - b);
  const codeOf = new Map(used.map((old, code) => [old, code]));
  return { names: used.map((code) => names[code]!), codes: codes.map((code) => codeOf.get(code) ?? -1) };
}

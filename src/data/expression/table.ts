// The tables of an .h5ad file, obs (cells) and var (genes), in the layouts that anndata has written:
//   0.8 and later  a group of columns; a categorical column is a group with codes and categories
//   0.7            a group of columns; codes refer to their categories under __categories
//   until 0.6      one compound dataset; categories in uns/<column>_categories
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
}

/** Rows of a compound dataset are arrays of JavaScript until their column is taken: this many at a time. */
const COMPOUND_BLOCK = 8192;
const INDEX_NAMES = ['_index', 'index'];

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
    const [codes, names] = [file.find(`${where}/codes`), file.find(`${where}/categories`)];
    if (codes !== undefined && isDataset(codes) && names !== undefined && isDataset(names)) {
      return this.fromCodes(this.read(codes), this.read(names), where);
    }
    const [values, mask] = [file.find(`${where}/values`), file.find(`${where}/mask`)];
    if (values !== undefined && isDataset(values) && mask !== undefined && isDataset(mask)) {
      const masked = file.numbers(mask, 0, rowCount(mask));
      return this.fromValues(
        this.read(values).map((value, row) => (masked[row] === 0 ? value : undefined)),
        where,
      );
    }
    throw this.unreadable(where);
  }

  private indexColumn(): Dataset {
    const column = this.file.find(`${this.path}/${this.indexName()}`);
    if (column === undefined || !isDataset(column)) throw this.withoutIndex();
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

  private read(dataset: Dataset): (string | number)[] {
    const end = rowCount(dataset);
    if (isText(dataset)) return this.file.strings(dataset, 0, end);
    const numbers = Array.from(this.file.numbers(dataset, 0, end));
    const members = enumeration(dataset);
    return members === undefined ? numbers : numbers.map((value) => members.get(value) ?? value);
  }

  private fromField(object: Dataset, column: string, where: string): Categories {
    const field = fieldNames(object)!.indexOf(column);
    const values: (string | number)[] = [];
    for (let start = 0; start < rowCount(object); start += COMPOUND_BLOCK) {
      const end = Math.min(rowCount(object), start + COMPOUND_BLOCK);
      values.push(...this.file.field(object, field, start, end));
    }
    const names = this.file.find(`uns/${column}_categories`);
    return names !== undefined && isDataset(names)
      ? this.fromCodes(values, this.read(names), where)
      : this.fromValues(values, where);
  }

  private fromCodes(
    codes: readonly (string | number)[],
    names: readonly (string | number)[],
    where: string,
  ): Categories {
    codes.forEach((code, row) => {
      if (typeof code === 'number' && Number.isInteger(code) && code >= -1 && code < names.length) return;
      const problem = `${where} has code ${code} in row ${row}, there are ${names.length} categories`;
      throw dataError(this.file.path, problem, 'Write the file again: codes run from 0 (-1: missing)');
    });
    return dropUnused(Int32Array.from(codes as readonly number[]), names.map(String));
  }

  private fromValues(values: readonly (string | number | undefined)[], where: string): Categories {
    if (values.some((value) => typeof value === 'number' && !Number.isInteger(value))) {
      throw this.unreadable(where);
    }
    const names = [...new Set(values.filter((value) => value !== undefined))].toSorted((a, b) =>
      typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
    );
    const codeOf = new Map(names.map((name, code) => [name, code]));
    const codes = Int32Array.from(values, (value) => (value === undefined ? -1 : codeOf.get(value)!));
    return { names: names.map(String), codes };
  }

  private unreadable(where: string): Error {
    const advice = `Choose a column of categories, strings or whole numbers: ${this.columns.join(', ')}`;
    return dataError(this.file.path, `${where} holds no classes`, advice);
  }
}

function dropUnused(codes: Int32Array, names: readonly string[]): Categories {
  const used = [...new Set(codes)].filter((code) => code >= 0).toSorted((a, b) => a - b);
  const codeOf = new Map(used.map((old, code) => [old, code]));
  return { names: used.map((code) => names[code]!), codes: codes.map((code) => codeOf.get(code) ?? -1) };
}

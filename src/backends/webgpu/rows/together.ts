// Rows in one dispatch. The invocations of a workgroup share a row, and tell each other by its memory; or each has a row of its own, and
// there is no barrier.
import { type Dispatch, groupsOf } from '../dispatch.ts';
import { groupSize } from '../items.ts';
import { type Lanes, throughMemory, throughSubgroups } from '../lanes.ts';
import { reducing } from '../reducing.ts';
import { type Pass, type Rows, ended, makeElements, stepOf, writtenElements } from './row.ts';

/** @param lanes that share a row: a power of 2 */
export function rowsTogether(given: Rows, lanes: number): Dispatch {
  const { rows, width, reads, passes, outputs = [], ofRows = [], start = '', functions = '' } = given;
  const { sizes = {}, numbers = {} } = given;
  const isShared = lanes > 1;
  const step = stepOf(given);
  const names = passes.flatMap(({ totals }) => totals.map(({ name }) => name));
  const tell = ofRows.map(({ name, value }) => `set_${name}(row, ${value});`).join(' ');
  const made = makeElements(given, `first / ${step}u + c`, {
    place: (k) => `let col = c * ${step}u + ${k}u; let at = first + col;`,
  });
  const codeOf = (way: Lanes): string => `${functions}
${isShared ? way.memory(names) : ''}
@compute @workgroup_size(${isShared ? lanes : groupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32${way.parameters}) {
  ${isShared ? 'let row = groupIndex(group, groups); let lane = index;' : `let row = groupIndex(group, groups) * ${groupSize}u + index; let lane = 0u;`}
  if (row >= u.rows) { return; }
  let first = row * u.width; ${start}
  ${passes.map((pass) => overRow(pass, lanes, way)).join('\n  ')}
  ${isShared && tell !== '' ? `if (lane == 0u) { ${tell} }` : tell}
  ${outputs.length > 0 ? `for (var c = lane; c < u.width / ${step}u; c += ${lanes}u) {\n    ${made}\n  }` : ''}
}`;
  return {
    code: codeOf(throughMemory(lanes)),
    ...(isShared && { bySubgroups: { lanes, code: codeOf(throughSubgroups(lanes)) } }),
    arguments: [
      ...reads,
      ...writtenElements(given),
      ...ofRows.map(({ name, operand }) => ({ name, operand, isWritten: true })),
    ],
    sizes: { ...sizes, rows, width },
    numbers,
    groups: groupsOf(isShared ? rows : Math.ceil(rows / groupSize)),
  };
}

function overRow({ each = '', totals }: Pass, lanes: number, way: Lanes): string {
  const terms = totals.map(({ name, term, by = 'sum' }) => ({ name: `${name}_own`, term, by }));
  const own = reducing(terms, {
    index: 'col',
    first: 'lane',
    end: 'u.width',
    step: `${lanes}u`,
    each: `let at = first + col; ${each}`,
  });
  const end = (of: (name: string) => string): string => totals.map((total) => ended(total, of)).join(' ');
  if (lanes === 1) return `${own}\n  ${end((name) => `${name}_own`)}`;
  const join = way.join(totals.map(({ name, by = 'sum' }) => ({ name, from: `${name}_own`, by })));
  return `${own}\n  ${join}\n  ${end(way.joinedOf)}`;
}

// Subgroup matrices for tests: adapters that list them, and what they do, written in WGSL, for devices without.
import type { GpuSource } from '../../src/backends/webgpu/contract.ts';
import { type ListedMatrix, matrixFeature } from '../../src/backends/webgpu/matrices.ts';

interface Listing {
  readonly listed: readonly ListedMatrix[];
  /** Of the subgroups, at least and at most; the adapter's own by default. */
  readonly sizes?: readonly [smallest: number, largest: number];
  /** Features beside the adapter's own, which its devices are not asked for. */
  readonly pretended?: readonly string[];
  /** Told of each shader, and returns what is compiled for it: then a workgroup may have all of the adapter's memory. */
  readonly compile?: (code: string) => string;
}

/** A host whose adapter says that it can multiply certain matrices. */
export function withMatrices(
  source: GpuSource,
  { listed, sizes, pretended = [], compile }: Listing,
): GpuSource {
  return {
    async requestAdapter(options) {
      const adapter = (await source.requestAdapter(options)) as GPUAdapter;
      const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
      const [subgroupMinSize, subgroupMaxSize] = sizes ?? [
        adapter.info.subgroupMinSize,
        adapter.info.subgroupMaxSize,
      ];
      return {
        limits: adapter.limits,
        features: new Set([...adapter.features, ...pretended]),
        info: {
          vendor,
          architecture,
          device,
          description,
          isFallbackAdapter,
          subgroupMinSize,
          subgroupMaxSize,
          subgroupMatrixConfigs: listed,
        },
        async requestDevice({ requiredFeatures = [], ...wanted }: GPUDeviceDescriptor = {}) {
          const own = [...requiredFeatures].filter((feature) => !pretended.includes(feature));
          // Numbers of float16 take twice the memory where they are emulated.
          const { maxComputeWorkgroupStorageSize } = adapter.limits;
          const requiredLimits = {
            ...wanted.requiredLimits,
            ...(compile && { maxComputeWorkgroupStorageSize }),
          };
          const made = await adapter.requestDevice({
            ...wanted,
            requiredLimits,
            requiredFeatures: own,
          });
          const createShaderModule = made.createShaderModule.bind(made);
          if (compile) made.createShaderModule = ({ code }) => createShaderModule({ code: compile(code) });
          return made;
        },
      };
    },
  };
}

/** Features that a device of software lacks. */
export const lacking = [matrixFeature, 'shader-f16', 'subgroups'];

type Kind = 'left' | 'right' | 'result';
const kinds: Readonly<Record<string, Kind>> = { Left: 'left', Right: 'right', Result: 'result' };

/**
 * A shader of subgroup matrices as one without: each invocation has whole matrices for itself, one behind the other in memory of its own, and
 * a matrix is the place where it begins. Numbers of float16 are float32.
 * @param size invocations of a subgroup
 */
export function emulated(code: string, size: number): string {
  const extents = new Map<Kind, readonly [rows: number, columns: number]>();
  const declared = /^alias (\w+) = subgroup_matrix_(\w+)<\w+, (\d+), (\d+)>;$/gm;
  for (const [, name, type, columns, rows] of code.matchAll(declared)) {
    const kind = kinds[name!];
    if (kind === undefined || kind !== type) throw new Error(`${name} is a matrix of the kind ${type}`);
    extents.set(kind, [Number(rows), Number(columns)]);
  }
  if (extents.size === 0) return code;
  const [[M, K], [sum, N]] = [extents.get('left')!, extents.get('right')!];
  if (sum !== K || String(extents.get('result')) !== `${M},${N}`)
    throw new Error('matrices of these extents cannot be multiplied');
  let memory = 0;
  const take = (kind: Kind): number => {
    const [rows, columns] = extents.get(kind)!;
    memory += rows * columns;
    return memory - rows * columns;
  };
  const loads = new Map<string, string>();
  const changed = code
    .replaceAll(/^enable .*;$/gm, '')
    .replaceAll(declared, '')
    .replaceAll(/var (\w+) = Result\(\);/g, (_, name) => `let ${name} = ${take('result')}u;`)
    .replaceAll(/subgroupMatrixLoad<(\w+), (\w+)>\(&(\w+), /g, (_, type, order, array) => {
      const kind = kinds[type]!;
      const name = `load_${array}_${kind}_${order}`;
      loads.set(name, loadFunction(name, array, order, extents.get(kind)!));
      return `${name}(${take(kind)}u, `;
    })
    .replaceAll(
      /(\w+) = subgroupMatrixMultiplyAccumulate\((\w+), (\w+), \1\)/g,
      'multiplyAccumulate($2, $3, $1)',
    )
    .replaceAll('subgroupMatrixStore<row_major>(&made, ', 'storeMatrix(index, ')
    .replace(', @builtin(subgroup_id) subgroup: u32) {', `) { let subgroup = index / ${size}u;`)
    .replace('bitcast<vec2<f16>>(float16Bits(x)).x', 'roundToFloat16(x)')
    .replaceAll(/\bf16\b/g, 'f32');
  return `${changed}
var<private> matrices: array<f32, ${memory}>;
${[...loads.values()].join('\n')}
fn multiplyAccumulate(left: u32, right: u32, sums: u32) {
  for (var row = 0u; row < ${M}u; row++) { for (var column = 0u; column < ${N}u; column++) { for (var k = 0u; k < ${K}u; k++) {
    matrices[sums + row * ${N}u + column] += matrices[left + row * ${K}u + k] * matrices[right + k * ${N}u + column];
  } } }
}
fn storeMatrix(index: u32, offset: u32, matrix: u32, stride: u32) {
  if (index % ${size}u != 0u) { return; }
  for (var row = 0u; row < ${M}u; row++) { for (var column = 0u; column < ${N}u; column++) { made[offset + row * stride + column] = matrices[matrix + row * ${N}u + column]; } }
}`;
}

/** What loads a matrix from an array of the workgroup, to its place. */
function loadFunction(
  name: string,
  array: string,
  order: string,
  [rows, columns]: readonly [number, number],
): string {
  const place = order === 'row_major' ? 'row * stride + column' : 'column * stride + row';
  return `fn ${name}(at: u32, offset: u32, stride: u32) -> u32 {
  for (var row = 0u; row < ${rows}u; row++) { for (var column = 0u; column < ${columns}u; column++) { matrices[at + row * ${columns}u + column] = ${array}[offset + ${place}]; } }
  return at;
}`;
}

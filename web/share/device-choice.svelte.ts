// Which device the visitor wants to compute with, here and in the address of the page, so that it is the same after a reload.
import { type DeviceName, deviceNames } from './device-names.ts';

/** What WebGPU finds in a worker, and whether it is a program in place of a GPU. */
export interface FoundGpu {
  readonly name: string;
  readonly isSoftware: boolean;
}

export interface DeviceOption {
  readonly name: DeviceName;
  readonly label: string;
  readonly isHere: boolean;
}

const parameter = 'device';
const isDevice = (text: string): text is DeviceName => (deviceNames as readonly string[]).includes(text);

export class DeviceChoice {
  /** Undefined for the fastest there is. */
  chosen: DeviceName | undefined = $state();
  /** None until it is known what WebGPU finds. */
  options: readonly DeviceOption[] = $state.raw([]);
  /** What is wrong with the address. */
  problem: string | null = $state(null);
  /** Whether there is a GPU, and no program in its place; undefined until that is known. */
  #hasGpu: boolean | undefined = $state();

  constructor() {
    const asked = new URL(location.href).searchParams.get(parameter);
    if (asked !== null && isDevice(asked)) this.chosen = asked;
    else if (asked !== null)
      this.problem = `The address of this page asks for the device ${asked}, and there are ${deviceNames.join(', ')}: the fastest is taken.`;
  }

  /** Whether a program computes in place of a GPU. */
  get isSlow(): boolean {
    return this.#hasGpu === false || (this.chosen !== undefined && this.chosen !== 'webgpu');
  }

  choose(name: DeviceName | undefined): void {
    this.chosen = name;
    this.problem = null;
    const url = new URL(location.href);
    if (name === undefined) url.searchParams.delete(parameter);
    else url.searchParams.set(parameter, name);
    history.replaceState(history.state, '', url);
  }

  /** @param gpu null where WebGPU finds none */
  found(gpu: FoundGpu | null): void {
    this.#hasGpu = gpu !== null && !gpu.isSoftware;
    this.options = [
      { name: 'webgpu', label: `WebGPU (${gpu?.name ?? 'none here'})`, isHere: gpu !== null },
      { name: 'wasm', label: 'WebAssembly', isHere: 'WebAssembly' in globalThis },
      { name: 'interpreter', label: 'the interpreter, slow', isHere: true },
    ];
  }
}

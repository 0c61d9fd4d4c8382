// A device for tests: SwiftShader, a GPU in software that comes with Debian's chromium, so that any machine has the same one.
import { existsSync } from 'node:fs';
import { type TestGpu, openDriver } from './vulkan.ts';

/** What tells Vulkan of SwiftShader, in the folders in which distributions have it. */
const drivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
];

export const testGpu: TestGpu = await openDriver(
  drivers.find((file) => existsSync(file)),
  'there is no SwiftShader, which comes with chromium',
);

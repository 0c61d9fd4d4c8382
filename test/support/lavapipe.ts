// A device for tests beside SwiftShader, of another compiler and with other arithmetic: lavapipe, Mesa's GPU in software.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestGpu, openDriver } from './vulkan.ts';

const folder = '/usr/share/vulkan/icd.d';
const files = existsSync(folder) ? readdirSync(folder).filter((name) => /^lvp_icd.*\.json$/.test(name)) : [];

const { gpu, skip }: TestGpu = await openDriver(
  files[0] && join(folder, files[0]),
  'there is no lavapipe, which comes with mesa-vulkan-drivers',
);

/** Takes the place of SwiftShader's in a file that mocks `gpu.ts` with this one. */
export const testGpu: TestGpu =
  gpu !== undefined
    ? { gpu }
    : {
        skip: /no adapter/.test(skip!) ? 'Dawn takes no lavapipe that is older than that of Mesa 25' : skip!,
      };

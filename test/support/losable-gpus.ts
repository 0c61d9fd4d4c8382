// GPUs of a shared model's page that a test takes away from its workers.
import type { Page } from 'playwright-core';

/** Flags of a browser whose WebGPU finds SwiftShader, a program that plays a GPU. */
export const swiftShader: readonly string[] = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Runs before the scripts of workers: keeps the devices that are opened, and destroys the last when it is told so. */
const keeper = `{
  const devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function hold(...asked) {
    const device = await requestDevice.apply(this, asked);
    devices.push(device);
    return device;
  };
  const channel = new BroadcastChannel('lose');
  channel.onmessage = ({ data }) => {
    if (data === (self.name || 'samples')) devices.at(-1)?.destroy();
  };
}
`;

/** @returns takes away what a worker of the page computes with, which is opened after this */
export async function losableGpus(page: Page): Promise<(worker: 'samples' | 'training') => Promise<void>> {
  await page.context().route(/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${keeper}${await response.text()}` });
  });
  return async (worker) => {
    await page.evaluate(`(() => {
      const channel = new BroadcastChannel('lose');
      channel.postMessage('${worker}');
      channel.close();
    })()`);
  };
}

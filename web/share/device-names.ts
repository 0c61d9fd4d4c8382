/** What can compute, as the address of the page names it: `?device=wasm`. */
export const deviceNames = ['webgpu', 'wasm', 'interpreter'] as const;
export type DeviceName = (typeof deviceNames)[number];

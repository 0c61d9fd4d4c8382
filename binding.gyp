# The kernels are compiled once per instruction set, each into its own static library and namespace; the addon picks one at
# run time. No file outside of those libraries may be compiled for more than the baseline.
{
  'variables': {
    # 1 where the compiler knows -mavx512bf16; scripts/build-native.mjs asks it.
    'avx512_bf16%': 0,
    # What the compiler is told of each MPI that was found, as scripts/build-native.mjs asks it; empty where there is none.
    'openmpi_compile%': '',
    'openmpi_link%': '',
    'mpich_compile%': '',
    'mpich_link%': '',
    'mpi_sources': [
      'native/js.cc',
      'native/mpi/addon.cc',
      'native/mpi/engine.cc',
      'native/mpi/exchange.cc',
      'native/mpi/gather.cc',
      'native/mpi/heartbeat.cc',
      'native/mpi/mail.cc',
      'native/mpi/ranges.cc',
      'native/mpi/watchdog.cc',
    ],
    # -fno-schedule-insns: on ARM, GCC would read operands of a register tile ahead and drive sums out of their registers for that.
    'kernel_flags': [
      '-O3', '-fPIC', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast', '-fno-schedule-insns',
      '-Wno-unknown-warning-option', '-Wno-ignored-optimization-argument', '-Wno-psabi', '-Wno-uninitialized', '-Wno-maybe-uninitialized',
    ],
    'avx512_flags': ['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mavx2', '-mfma', '-mprefer-vector-width=512'],
  },
  'target_defaults': {
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++17'],
    'cflags': ['-Wall'],
    'defines': ['NAPI_VERSION=8'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'OTHER_CFLAGS': ['<@(kernel_flags)'],
    },
  },
  'targets': [
    {
      'target_name': 'rectiflow',
      'sources': [
        'native/addon.cc',
        'native/describe.cc',
        'native/handles.cc',
        'native/isa.cc',
        'native/js.cc',
        'native/memory.cc',
        'native/peak.cc',
        'native/program.cc',
        'native/run.cc',
        'native/scratch.cc',
        'native/signals.cc',
        'native/cpu/call.cc',
        'native/cpu/pool.cc',
      ],
      'cflags_cc!': ['-fno-exceptions'],
      'xcode_settings': {'GCC_ENABLE_CPP_EXCEPTIONS': 'YES'},
      'dependencies': ['kernels_portable'],
      'conditions': [
        ['target_arch=="x64"', {
          'defines': ['RF_X64_KERNELS'],
          'dependencies': ['kernels_avx2', 'kernels_avx512'],
          'conditions': [
            ['avx512_bf16==1', {
              'defines': ['RF_AVX512_BF16_KERNELS'],
              'dependencies': ['kernels_avx512_bf16'],
            }],
          ],
        }],
      ],
    },
    {
      'target_name': 'kernels_portable',
      'type': 'static_library',
      'sources': ['native/cpu/kernels.cc'],
      'defines': ['RF_NS=portable', 'RF_ISA="portable"', 'RF_LANES=4'],
      'cflags': ['<@(kernel_flags)'],
    },
  ],
  'conditions': [
    ['openmpi_link!=""', {
      'targets': [
        {
          'target_name': 'mpi_openmpi',
          'sources': ['<@(mpi_sources)'],
          'cflags': ['-O3', '<@(openmpi_compile)'],
          'cflags_cc!': ['-fno-exceptions'],
          'libraries': ['<@(openmpi_link)'],
          'xcode_settings': {'GCC_ENABLE_CPP_EXCEPTIONS': 'YES', 'OTHER_CFLAGS': ['-O3', '<@(openmpi_compile)']},
        },
      ],
    }],
    ['mpich_link!=""', {
      'targets': [
        {
          'target_name': 'mpi_mpich',
          'sources': ['<@(mpi_sources)'],
          'cflags': ['-O3', '<@(mpich_compile)'],
          'cflags_cc!': ['-fno-exceptions'],
          'libraries': ['<@(mpich_link)'],
          'xcode_settings': {'GCC_ENABLE_CPP_EXCEPTIONS': 'YES', 'OTHER_CFLAGS': ['-O3', '<@(mpich_compile)']},
        },
      ],
    }],
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'sources': ['native/cpu/kernels.cc'],
          'defines': ['RF_NS=avx2', 'RF_ISA="avx2"', 'RF_LANES=8'],
          'cflags': ['<@(kernel_flags)', '-mavx2', '-mfma'],
          'xcode_settings': {'OTHER_CFLAGS': ['-mavx2', '-mfma']},
        },
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          'sources': ['native/cpu/kernels.cc'],
          'defines': ['RF_NS=avx512', 'RF_ISA="avx512"', 'RF_LANES=16'],
          'cflags': ['<@(kernel_flags)', '<@(avx512_flags)'],
          'xcode_settings': {'OTHER_CFLAGS': ['<@(avx512_flags)']},
        },
      ],
    }],
    ['target_arch=="x64" and avx512_bf16==1', {
      'targets': [
        {
          'target_name': 'kernels_avx512_bf16',
          'type': 'static_library',
          'sources': ['native/cpu/kernels.cc'],
          'defines': ['RF_NS=avx512_bf16', 'RF_ISA="avx512-bf16"', 'RF_LANES=16', 'RF_BF16_DOT=1'],
          'cflags': ['<@(kernel_flags)', '<@(avx512_flags)', '-mavx512bf16'],
          'xcode_settings': {'OTHER_CFLAGS': ['<@(avx512_flags)', '-mavx512bf16']},
        },
      ],
    }],
  ],
}

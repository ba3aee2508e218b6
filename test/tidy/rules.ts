// The tables behind test/tidy.test.ts: which folder may import which, and what the pure folders must not
// touch. To change a rule, change it here and say why in docs/decisions/.

/** A folder may import itself and what stands before it. The longest match names a file's folder. */
export const layers = [
  'src/version.ts',
  'src/base',
  'src/ring',
  'src/versions',
  'src/quorum',
  'src/merkle',
  'src/membership',
  'src/protocol',
  'src/actors',
  'src/storage',
  'src/runtime',
  'src/runtime/threads',
  'src/client',
  'src/server',
  'src/sim',
  'src/cli',
  'src/index.ts',
] as const

export type Layer = (typeof layers)[number]

export function layerOf(path: string): Layer | undefined {
  let found: Layer | undefined
  for (const layer of layers) {
    const inside = path === layer || path.startsWith(`${layer}/`)
    if (inside && layer.length > (found?.length ?? 0)) found = layer
  }
  return found
}

const pureLayers: readonly Layer[] = [
  'src/version.ts',
  'src/base',
  'src/ring',
  'src/versions',
  'src/quorum',
  'src/merkle',
  'src/membership',
  'src/protocol',
  'src/actors',
  'src/runtime',
  'src/sim',
]

/** No clock, randomness, timer, thread, file or socket except through what is handed in. */
export function isPure(path: string): boolean {
  const layer = layerOf(path)
  return layer !== undefined && pureLayers.includes(layer)
}

/** Names of node: modules that are functions of their arguments, and nothing more. */
export const pureImports: Readonly<Record<string, readonly string[]>> = {
  'node:zlib': ['crc32'],
  'node:crypto': ['createHash', 'createHmac'],
  'node:util': ['isDeepStrictEqual'],
  msgpackr: ['Packr', 'Unpackr', 'pack', 'unpack'],
}

/** What a pure file must not name, and what to take instead. */
export const impureNames: Readonly<Record<string, string>> = {
  Date: 'take the time from the turn (now, wall)',
  performance: 'take the time from the turn (now)',
  setTimeout: 'arm a timer of the turn (after)',
  setInterval: 'arm a timer of the turn (after), again and again',
  setImmediate: 'send a message to oneself, or use the ports of the host',
  queueMicrotask: 'send a message to oneself, or use the ports of the host',
  clearTimeout: 'let the handler of the alarm find that nothing is left to do',
  clearInterval: 'let the handler of the alarm find that nothing is left to do',
  Promise: 'answer by a message or a callback: nothing waits here',
  process: 'have it handed in by the ports of the host',
  WeakRef: 'keep what you need: the collector is not deterministic',
  FinalizationRegistry: 'close what you open: the collector is not deterministic',
  structuredClone: 'copy the fields that matter',
  Intl: 'compare by code units: locales differ between machines',
}

/** Members of allowed globals that are impure all the same: object, member, remedy. */
export const impureMembers: readonly (readonly [string, string, string])[] = [
  ['Math', 'random', 'take it from the turn (random)'],
  ['Atomics', 'wait', 'only runtime/threads may block'],
  ['Atomics', 'waitAsync', 'only runtime/threads may wait'],
]

/** node: modules that only some folders may touch. Modules not named here are free outside the pure folders. */
export const guardedModules: Readonly<Record<string, readonly Layer[]>> = {
  'node:worker_threads': ['src/runtime/threads'],
  // The command line runs seeds of the simulated world side by side.
  piscina: ['src/runtime/threads', 'src/cli'],
  comlink: ['src/runtime/threads'],
  rocksdb: ['src/storage'],
  'fs-native-extensions': ['src/storage'],
  'node:fs': ['src/storage', 'src/cli'],
  'node:fs/promises': ['src/storage', 'src/cli'],
  'node:net': ['src/server', 'src/cli'],
  'node:child_process': ['src/cli'],
}

export const fileLinesMax = 400
export const functionLinesMax = 70
export const openingLinesMax = 12

/** Nobody: the pool's entry is CommonJS (runtime/threads/node-entry.cts). */
export const defaultExportAllowed: readonly string[] = []

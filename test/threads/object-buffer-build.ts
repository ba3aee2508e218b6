// Compiles the object buffer for worker threads, which cannot load TypeScript on Node 20, into a directory
// of its own: the tests neither need a build of the whole nor run against an old one.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface Built {
  /** For `import()` in a worker. */
  readonly url: (module: string) => string
  readonly remove: () => void
}

/** Compiles `files` (paths in the repository) and all that they import. */
export function build(files: readonly string[]): Built {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const dir = mkdtempSync(join(tmpdir(), 'object-buffer-'))
  const options = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      rootDir: root,
      outDir: dir,
      declaration: false,
      sourceMap: false,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: files.map((file) => join(root, file)),
    include: [],
  }
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(options))
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', dir], {
    stdio: 'pipe',
  })
  return {
    url: (module) => pathToFileURL(join(dir, module)).href,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

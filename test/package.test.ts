// The package as others get it: what is in it, what it exports, that its manifest keeps its word. What needs a
// registry (linting what was packed, installing it, other lines of Node) is in scripts/check-package.mjs.

import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import * as source from '../src/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

interface Manifest {
  readonly name: string
  readonly bin: Record<string, string>
  readonly exports: Record<string, { types: string; default: string }>
  readonly engines: { node: string }
  readonly scripts: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

describe('what is packed', () => {
  let files: string[]

  beforeAll(async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      shell: process.platform === 'win32',
    })
    const [packed] = JSON.parse(stdout) as [{ files: { path: string }[] }]
    files = packed.files.map(({ path }) => path)
  })

  it('is the build and the papers that go with it, nothing else', () => {
    const others = files.filter((path) => !path.startsWith('dist/')).sort()
    expect(others).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  })

  it('has the entry, its types, the command and the entry of the threads', () => {
    const entry = manifest.exports['.'] as { types: string; default: string }
    const wanted = [
      entry.types,
      entry.default,
      manifest.bin['ringspun'] as string,
      'dist/runtime/threads/node-entry.cjs',
    ]
    expect(files).toEqual(expect.arrayContaining(wanted.map((path) => path.replace(/^\.\//, ''))))
  })
})

describe('what is exported', () => {
  it('is what the public face says, built as written', async () => {
    const built = (await import(join(root, 'dist/index.js'))) as object
    expect(Object.keys(built).sort()).toEqual(['Cluster', 'RingspunError', 'checkMerge', 'version'])
    expect(Object.keys(built).sort()).toEqual(Object.keys(source).sort())
  })

  it('cannot be reached past', async () => {
    const reach = run(
      process.execPath,
      ['--input-type=module', '-e', "import 'ringspun/dist/base/errors.js'"],
      { cwd: root },
    )
    await expect(reach).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})

describe('the manifest', () => {
  it('pins every dependency to one version', () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    const loose = all.filter(([, wanted]) => !/^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+$/.test(wanted))
    expect(loose).toEqual([])
  })

  it('agrees with the lock file', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, Partial<Manifest>>
    }
    expect(lock.packages['']?.dependencies).toEqual(manifest.dependencies)
    expect(lock.packages['']?.devDependencies).toEqual(manifest.devDependencies)
  })

  it('has a lock file with the packages of every platform, or npm ci fails in a fresh clone', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const paths = Object.keys(lock.packages)
    const missing = Object.values(lock.packages)
      .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
      .filter((name) => !paths.some((path) => path.endsWith(`node_modules/${name}`)))
    expect(missing).toEqual([])
  })

  it('runs nothing on the machine of whoever installs it', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter(
      (hook) => hook in manifest.scripts,
    )
    expect(hooks).toEqual([])
  })

  it('asks for the line of Node that the types are of', () => {
    expect(manifest.engines.node).toBe('>=20.19')
    expect(manifest.devDependencies['@types/node']).toMatch(/^20\./)
  })
})

describe('the command', () => {
  const main = join(root, manifest.bin['ringspun'] as string)

  it('begins with the line that makes it a program, and may be run', () => {
    expect(readFileSync(main, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node')
    if (process.platform !== 'win32') expect(statSync(main).mode & 0o111).not.toBe(0)
  })

  it('says its version', async () => {
    const { stdout } = await run(process.execPath, [main, '--version'])
    expect(stdout).toBe(`${source.version}\n`)
  })

  it('ends with 64 and a suggestion when an option is misspelt', async () => {
    const misspelt = run(process.execPath, [main, 'serve', '--prot', '1'])
    await expect(misspelt).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringContaining('did you mean --port?'),
    })
  })
})

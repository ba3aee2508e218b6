// The README is held to its word: its tour is run as it stands against the built package, its tables are
// those of the source, its links lead somewhere, its commands and options are there.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorsTable, limitsTable } from './readme/tables.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const readmePath = join(root, 'README.md')
const readme = () => readFileSync(readmePath, 'utf8')
const node = promisify(execFile)

describe('the tour', () => {
  let dir: string

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ringspun-readme-'))
    mkdirSync(join(dir, 'node_modules'))
    symlinkSync(root, join(dir, 'node_modules', 'ringspun'), 'junction')
  })

  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it('prints what its comments say', async () => {
    const tour = /^```js\n([\s\S]+?)^```$/m.exec(readme())?.[1] as string
    const promised = [...tour.matchAll(/^\s*console\.log\(.+\) \/\/ (.+)$/gm)].map(([, comment]) => comment)
    expect(promised.length).toBe(tour.split('console.log(').length - 1)
    writeFileSync(join(dir, 'tour.mjs'), tour)
    const { stdout, stderr } = await node(process.execPath, ['tour.mjs'], { cwd: dir })
    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n')).toEqual(promised)
  })

  it('is short enough to be read', () => {
    const tour = /^```js\n([\s\S]+?)^```$/m.exec(readme())?.[1] as string
    expect(tour.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(25)
  })
})

describe('the tables', () => {
  const tables = { limits: limitsTable, errors: errorsTable }

  for (const [name, table] of Object.entries(tables)) {
    it(`of ${name} is what the source says (UPDATE_README=1 writes it anew)`, () => {
      const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
      const [before, rest] = readme().split(open)
      const [present, after] = (rest as string).split(close)
      if (process.env['UPDATE_README'] !== undefined) {
        writeFileSync(readmePath, `${before}${open}\n${table()}\n${close}${after}`)
      } else {
        expect((present as string).trim()).toBe(table())
      }
    })
  }

  it('name every error code once', () => {
    const rows = [...readme().matchAll(/^\| `([a-z-]+)` \| (refused|indeterminate) \|/gm)].map(
      ([, code]) => code,
    )
    expect(new Set(rows).size).toBe(rows.length)
    expect(rows.length).toBeGreaterThan(20)
  })
})

describe('the words', () => {
  it.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'])(
    'links of %s lead to files that are there',
    (page) => {
      const text = readFileSync(join(root, page), 'utf8')
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link as string)
      expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([])
    },
  )

  it.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'])('paths that %s names are there', (page) => {
    const text = readFileSync(join(root, page), 'utf8')
    const paths = [...text.matchAll(/`((?:src|test|docs|scripts|bench)\/[\w./-]+\.(?:ts|mjs|md))`/g)]
    expect(paths.map(([, path]) => path as string).filter((path) => !existsSync(join(root, path)))).toEqual(
      [],
    )
  })

  it('the commands of package.json are those that the README says', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    expect(readme()).toContain('    npm ci && npm start\n')
    expect(readme()).toContain('    npm ci && npm test\n')
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(['start', 'test']))
  })

  it.each(['serve', 'status'])('every option of %s is in the README, and no other', async (command) => {
    const { stdout } = await node(process.execPath, [join(root, 'dist/cli/main.js'), command, '--help'])
    const real = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name as string)
    const block = new RegExp(`^ {4}ringspun ${command} .+\\n(?: {8}.+\\n)*`, 'm').exec(readme())?.[0] ?? ''
    const named = [...block.matchAll(/--[a-z-]+/g)].map(([name]) => name)
    expect(named.sort()).toEqual(real.filter((name) => name !== '--help').sort())
  })

  it('what the server says when it is ready is what the README says', async () => {
    const { stdout } = await node(process.execPath, [join(root, 'dist/cli/main.js'), 'serve', '--help'])
    const line = 'ringspun ready resp=HOST:PORT nodes=K pid=PID'
    expect(stdout).toContain(line)
    expect(readme()).toContain(line)
  })
})

// The data directory of a cluster: what was acknowledged is there again, nobody opens it twice, and what it
// was made with it keeps. A refusal says why in a sentence and leaves the directory as it was.

import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster } from '../../dist/index.js'
import { all, openCluster, quick, refusalOf, temporary, textOf } from './cluster-helpers.js'

/** Names, sizes and times of all files: what must be the same after a refusal. */
function pictureOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'LOCK')
    .map((entry) => {
      const { size, mtimeMs } = statSync(join(entry.parentPath, entry.name))
      return `${join(entry.parentPath, entry.name)} ${size} ${mtimeMs}`
    })
    .sort()
}

/** A closed cluster with one key, copied from one that was made once: making one costs more than copying. */
function made(): string {
  const dir = temporary()
  cpSync(template, dir, { recursive: true })
  return dir
}

let template: string

beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'ringspun-test-'))
  const cluster = await Cluster.open({ ...quick, dir: template })
  await cluster.bucket('kept').put('k', 'v')
  await cluster.setBucket('kept', { r: 1 })
  await cluster.close()
})
afterAll(() => rmSync(template, { recursive: true }))

describe('opened again', () => {
  test('a cluster has all it had, and knows that it was closed in order', async () => {
    const dir = temporary()
    const lines: string[] = []
    const first = await Cluster.open({ ...quick, dir })
    const bucket = first.bucket<unknown>('kept')
    await bucket.putMany(Array.from({ length: 500 }, (_, i) => [`k${i}`, { i }] as const))
    await bucket.delete('k1', { context: (await bucket.get('k1')).context as string })
    const { context } = await bucket.put('siblings', 'base')
    await bucket.put('siblings', 'left', { context })
    await bucket.put('siblings', 'right', { context })
    await first.bucket('kept').put('expiring', 'v', { expiresAt: Date.now() + 3_600_000 })
    const { id } = first.status()
    await first.close()

    const log = (_level: string, text: string) => lines.push(text)
    const second = await openCluster({ dir, log })
    expect(lines.filter((line) => line.includes(': closed in order'))).toHaveLength(3)
    expect(second.status()).toMatchObject({ id, partitions: 16 })
    expect(second.status().nodes.map(({ complete, generation }) => [complete, generation])).toEqual([
      [true, 1],
      [true, 1],
      [true, 1],
    ])
    const again = second.bucket<unknown>('kept')
    expect(await again.count()).toBe(501)
    for (const r of [1, 2, 3]) expect((await again.get('k7', { r })).value).toEqual({ i: 7 })
    expect((await again.get('k1', { r: 1 })).values).toEqual([])
    expect([...(await again.get('siblings')).values].sort()).toEqual(['left', 'right'])
    expect((await again.get('expiring')).expiresAt).toBeGreaterThan(Date.now())
  })

  test('a context from before is still good', async () => {
    const dir = temporary()
    const first = await Cluster.open({ ...quick, dir })
    const { context } = await first.bucket('kept').put('k', 'old')
    await first.close()
    const second = await openCluster({ dir })
    await second.bucket('kept').put('k', 'new', { context })
    expect((await second.bucket('kept').get('k')).values).toEqual(['new'])
  })

  test('buckets have the properties they were given, and only those', async () => {
    const dir = temporary()
    const first = await Cluster.open({ ...quick, dir })
    await first.setBucket('set', { n: 2, conflicts: 'last-write-wins', durability: 'os' })
    first.bucket('made', { w: 3, r: 1 })
    first.bucket('plain')
    await first.close()
    const second = await openCluster({ dir, dw: 0, w: 1 })
    expect(second.bucket('set').properties).toMatchObject({
      n: 2,
      conflicts: 'last-write-wins',
      durability: 'os',
    })
    expect(second.bucket('made').properties).toMatchObject({ w: 3, r: 1, dw: 0 })
    expect(second.bucket('plain').properties).toMatchObject({ w: 1, dw: 0 })
  })

  test('five times over, each life adds to what there is', async () => {
    const dir = temporary()
    for (let life = 1; life <= 5; life++) {
      const cluster = await Cluster.open({ ...quick, dir })
      const bucket = cluster.bucket<number>('lives', { conflicts: 'last-write-wins' })
      expect((await all(bucket.keys())).map(textOf).sort()).toEqual(
        Array.from({ length: life - 1 }, (_, i) => `life ${i + 1}`),
      )
      await bucket.put(`life ${life}`, life)
      await cluster.close()
    }
  })

  test('without options it takes what it was made with', async () => {
    const dir = temporary()
    const first = await Cluster.open({ ...quick, dir, nodes: 4, partitions: 24, hash: 'md5' })
    await first.bucket('kept').put('k', 'v')
    await first.close()
    const cluster = await Cluster.open({ dir, log: () => {} })
    expect(cluster.options).toMatchObject({ nodes: 4, partitions: 24, hash: 'md5' })
    expect((await cluster.bucket('kept').get('k')).value).toBe('v')
    await cluster.close()
  })
})

describe('refused', () => {
  test('open a second time in this process', async () => {
    const dir = temporary()
    const cluster = await openCluster({ dir })
    const error = await refusalOf({ dir })
    expect(error).toMatchObject({ code: 'data-dir-locked', outcome: 'refused' })
    await cluster.bucket('kept').put('k', 'still serving')
    expect((await cluster.bucket('kept').get('k')).value).toBe('still serving')
  })

  test('open in another process', async () => {
    const dir = temporary()
    const cluster = await openCluster({ dir })
    const script = fileURLToPath(new URL('./opener.mjs', import.meta.url))
    const other = spawnSync(process.execPath, [script, dir], { encoding: 'utf8' })
    expect(other.stdout).toBe('data-dir-locked refused\n')
    expect(other.status).toBe(0)
    await cluster.close()
    const after = spawnSync(process.execPath, [script, dir], { encoding: 'utf8' })
    expect(after.stdout).toBe('opened\n')
  })

  const layouts = [
    [{ nodes: 4 }, 'was made with 3 nodes; it cannot be opened with 4'],
    [{ nodes: 2, n: 2 }, 'was made with 3 nodes; it cannot be opened with 2'],
    [{ partitions: 32 }, 'was made with 16 partitions; it cannot be opened with 32'],
    [{ hash: 'md5' }, 'was made with the hash halfsip; it cannot be opened with md5'],
  ] as const

  test.each(layouts)('with %j, which it was not made with', async (options, sentence) => {
    const dir = made()
    const before = pictureOf(dir)
    const error = await refusalOf({ dir, ...options })
    expect(error.code).toBe('data-dir-layout')
    expect(error.message).toBe(`${dir} ${sentence}`)
    expect(pictureOf(dir)).toEqual(before)
  })

  test('in a newer format', async () => {
    const dir = made()
    const file = join(dir, 'ringspun.json')
    const identity = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...identity, format: 3, createdBy: '9.9.9' }))
    const before = pictureOf(dir)
    const error = await refusalOf({ dir })
    expect(error.code).toBe('data-dir-format')
    expect(error.message).toMatch(/^\S+ has format 3, made by ringspun 9\.9\.9; .* knows formats 1 to 2$/)
    expect(pictureOf(dir)).toEqual(before)
  })

  const damages: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['not JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['without a format', '{}'],
    ['without the rest', '{"format": 1}'],
    ['with a strange hash', '{"format":1,"id":"a","partitions":16,"nodes":3,"hash":"x","seed":[1,2]}'],
    ['with 0 nodes', '{"format":1,"id":"a","partitions":16,"nodes":0,"hash":"md5","seed":[1,2]}'],
    ['with half a seed', '{"format":1,"id":"a","partitions":16,"nodes":3,"hash":"md5","seed":[1]}'],
  ]

  test.each(damages)('with an identity that is %s', async (_name, text) => {
    const dir = made()
    writeFileSync(join(dir, 'ringspun.json'), text)
    const before = pictureOf(dir)
    const error = await refusalOf({ dir })
    expect(error.code).toBe('data-dir-invalid')
    expect(error.message).toContain('has a damaged ringspun.json')
    expect(pictureOf(dir)).toEqual(before)
  })

  test.each(['{', '[1]', '7', '{"kept": null}', '{"kept": []}', '{"a b": {}}'])(
    'with buckets that are %s',
    async (text) => {
      const dir = made()
      writeFileSync(join(dir, 'buckets.json'), text)
      const error = await refusalOf({ dir })
      expect(error.outcome).toBe('refused')
      expect(error.code).toBe('data-dir-invalid')
      expect(error.message).toContain('damaged buckets.json')
    },
  )

  test('a directory that holds something else', async () => {
    const dir = temporary()
    writeFileSync(join(dir, 'thesis.txt'), 'years of work')
    const error = await refusalOf({ dir })
    expect(error.code).toBe('data-dir-invalid')
    expect(error.message).toBe(`${dir} holds "thesis.txt" and no cluster: use an empty directory`)
    expect(readdirSync(dir)).toEqual(['thesis.txt'])
  })

  test('a file, and a path below a file', async () => {
    const dir = temporary()
    const file = join(dir, 'file')
    writeFileSync(file, 'x')
    for (const path of [file, join(file, 'below')]) {
      const error = await refusalOf({ dir: path })
      expect(error.code).toBe('data-dir-invalid')
    }
    expect(readFileSync(file, 'utf8')).toBe('x')
  })
})

describe('made', () => {
  test('where there is none, as deep as it must be, for its owner only', async () => {
    const dir = join(temporary(), 'a', 'b')
    const cluster = await openCluster({ dir })
    await cluster.bucket('kept').put('k', 'v')
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    expect(readdirSync(dir).sort()).toEqual([
      'LOCK',
      'node-1',
      'node-2',
      'node-3',
      'ring.json',
      'ringspun.json',
    ])
  })

  test('by way of a symbolic link', async () => {
    const parent = temporary()
    mkdirSync(join(parent, 'real'))
    symlinkSync(join(parent, 'real'), join(parent, 'link'))
    const cluster = await openCluster({ dir: join(parent, 'link') })
    await cluster.bucket('kept').put('k', 'v')
    expect(readdirSync(join(parent, 'real'))).toContain('ringspun.json')
    expect((await refusalOf({ dir: join(parent, 'real') })).code).toBe('data-dir-locked')
  })

  test('anew after it was removed: another cluster, empty', async () => {
    const dir = made()
    const before = readFileSync(join(dir, 'ringspun.json'), 'utf8')
    rmSync(dir, { recursive: true })
    const cluster = await openCluster({ dir })
    expect((await cluster.bucket('kept').get('k')).values).toEqual([])
    expect(cluster.status().id).not.toBe(JSON.parse(before).id)
  })
})

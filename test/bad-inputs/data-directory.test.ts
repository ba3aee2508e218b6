// The sixty bad inputs (docs/decisions/bad-inputs.md) at the door of the data directory: what cannot be opened is
// refused with its code and left as it was, to the byte; what can be opened serves, and has everything. Disks that are
// full or read-only are real ones (a tmpfs), made where this process may mount.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Cluster, type ClusterOptions } from '../../dist/index.js'
import { openCluster, quick, refusalOf, temporary } from '../threads/cluster-helpers.js'

let template: string
let stranger: string

async function make(dir: string): Promise<void> {
  const cluster = await Cluster.open({ ...quick, dir })
  await cluster.bucket('inputs').put('kept', 'before')
  await cluster.close()
}

beforeAll(async () => {
  const dir = spawnSync('mktemp', ['-d'], { encoding: 'utf8' }).stdout.trim()
  ;[template, stranger] = [join(dir, 'ours'), join(dir, 'theirs')]
  await make(template)
  await make(stranger)
})
afterAll(() => rmSync(join(template, '..'), { recursive: true }))

/** A closed cluster with one key. */
function made(): string {
  const dir = join(temporary(), 'data')
  cpSync(template, dir, { recursive: true })
  return dir
}

/** Every file with its bytes, but for the lock. */
function contents(dir: string): Record<string, string> {
  if (!statSync(dir).isDirectory()) return { [dir]: readFileSync(dir, 'latin1') }
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.endsWith('LOCK'))
      .map((path) => [path, readFileSync(path, 'latin1')]),
  )
}

async function expectServes(dir: string, options: ClusterOptions = {}): Promise<void> {
  const cluster = await Cluster.open({ ...quick, ...options, dir })
  expect((await cluster.bucket('inputs').get('kept', { r: 3 })).values).toEqual(['before'])
  await cluster.bucket('probe').put('k', 'v', { w: 3 })
  expect((await cluster.bucket('probe').get('k', { r: 3 })).value).toBe('v')
  await cluster.close()
}

const rewrite = (dir: string, file: string, change: (text: string) => string) =>
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), 'utf8')))

describe('#56 refused, and left as it was', () => {
  type Spoil = (dir: string) => void
  type Row = readonly [title: string, code: string, sentence: RegExp, spoil: Spoil]
  const table: readonly Row[] = [
    [
      '#56 a newer format',
      'data-dir-format',
      /has format 3/,
      (dir) => rewrite(dir, 'ringspun.json', (json) => json.replace('"format": 2', '"format": 3')),
    ],
    [
      '#56 the ring of another cluster',
      'data-dir-invalid',
      /has the ring.json of another cluster/,
      (dir) => cpSync(join(stranger, 'ring.json'), join(dir, 'ring.json')),
    ],
    [
      '#56 the node of another cluster',
      'data-dir-invalid',
      /has in node-2 what belongs to node 2 of the cluster [0-9a-f]{32}/,
      (dir) => {
        rmSync(join(dir, 'node-2'), { recursive: true })
        cpSync(join(stranger, 'node-2'), join(dir, 'node-2'), { recursive: true })
      },
    ],
    [
      '#56 two nodes, the one in place of the other',
      'data-dir-invalid',
      /has in node-1 what belongs to node 2 of this cluster/,
      (dir) => {
        renameSync(join(dir, 'node-1'), join(dir, 'aside'))
        renameSync(join(dir, 'node-2'), join(dir, 'node-1'))
        renameSync(join(dir, 'aside'), join(dir, 'node-2'))
      },
    ],
    [
      '#56 an owner that is damaged',
      'data-dir-invalid',
      /damaged node-3\/owner\.json/,
      (dir) => writeFileSync(join(dir, 'node-3', 'owner.json'), '[]'),
    ],
    [
      '#56 no identity, but nodes',
      'data-dir-invalid',
      /and no cluster: use an empty directory/,
      (dir) => rmSync(join(dir, 'ringspun.json')),
    ],
    [
      '#39 an identity of 10^6 brackets',
      'data-dir-invalid',
      /damaged ringspun\.json/,
      (dir) => writeFileSync(join(dir, 'ringspun.json'), '['.repeat(1e6)),
    ],
    [
      '#39 1e400 nodes',
      'data-dir-invalid',
      /damaged ringspun\.json/,
      (dir) => rewrite(dir, 'ringspun.json', (json) => json.replace('"nodes": 3', '"nodes": 1e400')),
    ],
    [
      '#54 a bucket with an option that is not there',
      'data-dir-invalid',
      /damaged buckets\.json/,
      (dir) => writeFileSync(join(dir, 'buckets.json'), '{"inputs": {"copies": 3}}'),
    ],
    [
      '#37 a bucket called __proto__ with a prototype',
      'data-dir-invalid',
      /damaged buckets\.json/,
      (dir) => writeFileSync(join(dir, 'buckets.json'), '{"__proto__": {"polluted": 1}}'),
    ],
  ]

  test.each(table)('%s', async (_title, code, sentence, spoil) => {
    const dir = made()
    spoil(dir)
    const before = contents(dir)
    const error = await refusalOf({ dir })
    expect({ code: error.code, outcome: error.outcome }).toEqual({ code, outcome: 'refused' })
    expect(error.message).toMatch(sentence)
    expect(error.message).toContain(dir)
    expect(contents(dir)).toEqual(before)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('#56 other settings', async () => {
    const dir = made()
    const before = contents(dir)
    const error = await refusalOf({ dir, nodes: 4 })
    expect(error).toMatchObject({ code: 'data-dir-layout', outcome: 'refused' })
    expect(error.message).toBe(`${dir} was made with 3 nodes; it cannot be opened with 4`)
    expect(contents(dir)).toEqual(before)
  })

  test('#56 a file', async () => {
    const file = join(temporary(), 'file')
    writeFileSync(file, 'precious')
    expect(await refusalOf({ dir: file })).toMatchObject({ code: 'data-dir-invalid' })
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })

  test('#56 locked by another opening', async () => {
    const dir = made()
    const cluster = await openCluster({ dir })
    expect(await refusalOf({ dir })).toMatchObject({ code: 'data-dir-locked' })
    expect((await cluster.bucket('inputs').get('kept', { r: 3 })).values).toEqual(['before'])
  })
})

describe('#56 opened', () => {
  test('#56 missing: made, for its owner only', async () => {
    const dir = join(temporary(), 'not', 'there')
    await make(dir)
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    await expectServes(dir)
  })

  test('#56 by a symbolic link', async () => {
    const link = join(temporary(), 'link')
    symlinkSync(made(), link)
    await expectServes(link)
  })

  test('#56 with a node that is not there: it is made again, and asks the others', async () => {
    const dir = made()
    rmSync(join(dir, 'node-2'), { recursive: true })
    await expectServes(dir)
    expect(existsSync(join(dir, 'node-2', 'owner.json'))).toBe(true)
  })

  const open: readonly (readonly [string, (dir: string) => void, RegExp])[] = [
    ['#56 mode 0777', (dir) => chmodSync(dir, 0o777), /can be written by others \(mode 777\): chmod 700 it$/],
    [
      '#56 of another owner',
      (dir) => chownSync(dir, 4321, 4321),
      /belongs to user 4321, this process is user 0$/,
    ],
  ]

  test.skipIf(process.getuid?.() !== 0).each(open)('%s: with a warning', async (_title, change, sentence) => {
    const dir = made()
    change(dir)
    const lines: string[] = []
    await expectServes(dir, { log: (level, text) => lines.push(`${level}: ${text}`) })
    expect(lines.filter((line) => sentence.test(line))).toHaveLength(1)
    expect(lines.find((line) => sentence.test(line))).toMatch(/^warn: /)
  })
})

/** A disk of so many bytes, unmounted and removed when the test is over; undefined where nobody may mount. */
function disk(bytes: number): string | undefined {
  const dir = temporary()
  if (process.platform !== 'linux') return undefined
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', dir])
  if (mount.status !== 0) return undefined
  onTestFinished(() => {
    spawnSync('umount', ['-l', dir])
  })
  return dir
}

const remount = (dir: string, options: string) =>
  expect(spawnSync('mount', ['-o', `remount,${options}`, dir]).status).toBe(0)

describe('#56 disks', () => {
  const MiB = 1024 * 1024

  test('#56 read-only: refused, and served when it can be written again', async (context) => {
    const place = disk(256 * MiB)
    if (place === undefined) return context.skip('nobody may mount here')
    const dir = join(place, 'data')
    cpSync(template, dir, { recursive: true })
    remount(place, 'ro')
    const error = await refusalOf({ dir })
    expect(error).toMatchObject({ code: 'data-dir-invalid', outcome: 'refused' })
    expect(error.message).toContain('EROFS')
    expect(await refusalOf({ dir: join(place, 'new') })).toMatchObject({ code: 'data-dir-invalid' })
    remount(place, 'rw')
    await expectServes(dir)
  })

  test('#56 full, for a new cluster: refused, and made when there is room', async (context) => {
    const place = disk(16 * 1024)
    if (place === undefined) return context.skip('nobody may mount here')
    const dir = join(place, 'data')
    const error = await refusalOf({ dir })
    expect({ code: error.code, outcome: error.outcome }).toEqual({
      code: 'storage-unavailable',
      outcome: 'refused',
    })
    remount(place, `size=${256 * MiB}`)
    await make(dir)
    await expectServes(dir)
  })

  test('#56 full, for one that is there: refused, and nothing is lost', async (context) => {
    const place = disk(256 * MiB)
    if (place === undefined) return context.skip('nobody may mount here')
    const dir = join(place, 'data')
    cpSync(template, dir, { recursive: true })
    fill(join(place, 'ballast'))
    const error = await refusalOf({ dir })
    expect({ code: error.code, outcome: error.outcome }).toEqual({
      code: 'storage-unavailable',
      outcome: 'refused',
    })
    rmSync(join(place, 'ballast'), { recursive: true })
    await expectServes(dir)
  })
})

/** Takes all the room that is left. */
function fill(file: string): void {
  mkdirSync(file)
  for (const size of [1024 * 1024, 4096]) {
    for (let i = 0; ; i++) {
      try {
        writeFileSync(join(file, `${size}-${i}`), Buffer.alloc(size, 1))
      } catch {
        break
      }
    }
  }
}

test('#27 a context from before the directory was put back: what it has not read outlives it', async () => {
  const dir = made()
  const backup = join(temporary(), 'backup')
  const begin = async () => {
    const cluster = await openCluster({ dir })
    return { cluster, bucket: cluster.bucket('inputs') }
  }
  cpSync(dir, backup, { recursive: true })
  const later = await begin()
  const read = await later.bucket.get('kept')
  const { context } = await later.bucket.put('kept', 'of the time that is gone', {
    context: read.context as string,
  })
  await later.cluster.close()
  rmSync(dir, { recursive: true })
  cpSync(backup, dir, { recursive: true })

  const again = await begin()
  expect((await again.bucket.get('kept', { r: 3 })).values).toEqual(['before'])
  // As many writes as the lost time had, and more: none may be taken for one that the context names.
  const { context: now } = await again.bucket.get('kept')
  await again.bucket.put('kept', 'new', { context: now as string })
  await again.bucket.put('kept', 'newer')
  await again.bucket.put('kept', 'by the old context', { context })
  const { values } = await again.bucket.get('kept', { r: 3 })
  expect([...values].sort()).toEqual(['by the old context', 'new', 'newer'])
})

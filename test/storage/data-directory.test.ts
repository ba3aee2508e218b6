// The data directory: made once, opened by one, refused with a sentence, and never written to by a refusal.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RingspunError } from '../../src/base/errors.js'
import { type DataDirectory, openDataDirectory, type WantedLayout } from '../../src/storage/data-directory.js'
import type { Built } from '../threads/object-buffer-build.js'
import { buildStorage, Child, script } from './built-storage.js'
import { type Place, temporaryPlace } from './store-calls.js'

const version = '7.8.9'
const anything: WantedLayout = { nodes: undefined, partitions: undefined, hash: undefined }
const five: WantedLayout = { nodes: 5, partitions: 64, hash: 'md5' }

let place: Place
let dir: string
beforeEach(() => {
  place = temporaryPlace()
  dir = join(place.path, 'data')
})
afterEach(() => place.remove())

function make(wanted: WantedLayout = five): DataDirectory {
  const made = openDataDirectory(dir, wanted, version)
  made.close()
  return made
}

function refusal(wanted: WantedLayout = anything): RingspunError {
  try {
    openDataDirectory(dir, wanted, version).close()
  } catch (error) {
    return error as RingspunError
  }
  throw new Error('it was opened')
}

/** All files below a directory with their bytes, to see whether anything was written. */
function contents(path: string): Record<string, string> {
  if (!existsSync(path) || !statSync(path).isDirectory()) return {}
  const files: Record<string, string> = {}
  for (const name of readdirSync(path, { recursive: true }) as string[]) {
    const full = join(path, name)
    files[name] = statSync(full).isDirectory() ? 'directory' : readFileSync(full, 'latin1')
  }
  return files
}

function rewrite(change: (identity: Record<string, unknown>) => void): void {
  const path = join(dir, 'ringspun.json')
  const identity = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  change(identity)
  writeFileSync(path, JSON.stringify(identity))
}

describe('a directory that is not there', () => {
  it('is made, private, with an identity and a place for each node', () => {
    dir = join(place.path, 'some', 'where', 'data')
    const made = make()
    expect(made.created).toBe(true)
    expect(made.identity).toMatchObject({
      format: 2,
      nodes: 5,
      partitions: 64,
      hash: 'md5',
      createdBy: version,
    })
    expect(made.identity.id).toMatch(/^[0-9a-f]{32}$/)
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    expect(readdirSync(dir).filter((name) => name.startsWith('node-'))).toEqual(
      [1, 2, 3, 4, 5].map((node) => `node-${node}`),
    )
    expect(made.nodeDirectory(5)).toBe(join(dir, 'node-5'))
  })

  it('gets an id and a seed of its own', () => {
    const { identity } = make()
    dir = join(place.path, 'other')
    const other = make().identity
    expect(other.id).not.toBe(identity.id)
    expect(other.seed).not.toEqual(identity.seed)
  })
})

describe('a directory that is there', () => {
  it('is opened again as it was made, whether or not the opener says how', () => {
    const { identity } = make()
    for (const wanted of [anything, five, { ...anything, nodes: 5 }]) {
      const again = openDataDirectory(dir, wanted, '9.9.9')
      expect(again.identity).toEqual(identity)
      expect(again.created).toBe(false)
      again.close()
    }
  })

  it('of the format before this one becomes one of this, so that no older version opens it again', () => {
    make()
    rewrite((identity) => Object.assign(identity, { format: 1 }))
    expect(make().identity).toMatchObject({ format: 2, nodes: 5, partitions: 64, createdBy: version })
    expect(JSON.parse(readFileSync(join(dir, 'ringspun.json'), 'utf8'))).toMatchObject({ format: 2 })
  })

  it('may be empty, a link, a fresh file system, or left by an opening that was cut short', () => {
    mkdirSync(join(place.path, 'real', 'lost+found'), { recursive: true })
    writeFileSync(join(place.path, 'real', 'LOCK'), '')
    writeFileSync(join(place.path, 'real', 'ringspun.json.new'), '{"form')
    symlinkSync(join(place.path, 'real'), dir)
    expect(make().created).toBe(true)
    expect(make(anything).created).toBe(false)
  })

  it('has its missing node directories made again', () => {
    make()
    rmSync(join(dir, 'node-5'), { recursive: true })
    expect(make().created).toBe(false)
    expect(existsSync(join(dir, 'node-5'))).toBe(true)
  })
})

describe('is refused, and nothing is written:', () => {
  const cases: readonly [string, RingspunError['code'], RegExp, () => void, WantedLayout?][] = [
    [
      'other nodes',
      'data-dir-layout',
      /was made with 5 nodes; it cannot be opened with 3/,
      make,
      { ...five, nodes: 3 },
    ],
    ['other partitions', 'data-dir-layout', /64 partitions; .* with 128/, make, { ...five, partitions: 128 }],
    ['another hash', 'data-dir-layout', /the hash md5; .* with halfsip/, make, { ...five, hash: 'halfsip' }],
    [
      'a newer format',
      'data-dir-format',
      /format 3, made by ringspun 8\.0\.0; ringspun 7\.8\.9 knows formats 1 to 2/,
      () => {
        make()
        rewrite((identity) => Object.assign(identity, { format: 3, createdBy: '8.0.0' }))
      },
    ],
    ['a file', 'data-dir-invalid', /is not a directory/, () => writeFileSync(dir, 'precious')],
    [
      'files of somebody else',
      'data-dir-invalid',
      /holds "thesis\.tex" and no cluster/,
      () => {
        mkdirSync(dir)
        writeFileSync(join(dir, 'thesis.tex'), 'precious')
      },
    ],
    [
      'an identity that is not JSON',
      'data-dir-invalid',
      /damaged ringspun\.json/,
      () => {
        make()
        writeFileSync(join(dir, 'ringspun.json'), '{"format": 1, "id"')
      },
    ],
  ]

  it.each(cases)('%s', (_what, code, message, prepare, wanted = anything) => {
    prepare()
    const before = contents(place.path)
    const error = refusal(wanted)
    expect(error).toMatchObject({ code, outcome: 'refused' })
    expect(error.message).toMatch(message)
    expect(contents(place.path)).toEqual(before)
  })

  it.each<[string, unknown]>([
    ['format', '1'],
    ['id', 7],
    ['partitions', 0],
    ['partitions', 65_537],
    ['nodes', 65],
    ['nodes', 2.5],
    ['hash', 'sha1'],
    ['seed', [1]],
    ['seed', [1, -1]],
    ['seed', [1, 2 ** 32]],
    ['seed', 'xx'],
  ])('an identity whose %s is %j', (field, value) => {
    make()
    rewrite((identity) => Object.assign(identity, { [field]: value }))
    expect(refusal()).toMatchObject({ code: 'data-dir-invalid' })
  })

  it.each(['null', '[]', '7', '""'])('an identity that is %s', (json) => {
    make()
    writeFileSync(join(dir, 'ringspun.json'), json)
    expect(refusal()).toMatchObject({ code: 'data-dir-invalid' })
  })

  it.skipIf(process.getuid?.() === 0)('one that cannot be written to (skipped for root, who may all)', () => {
    mkdirSync(dir, { mode: 0o500 })
    expect(refusal()).toMatchObject({ code: 'data-dir-invalid' })
    chmodSync(dir, 0o700)
  })

  it.skipIf(process.platform !== 'linux')('one that cannot be made', () => {
    dir = '/proc/ringspun/data'
    expect(refusal()).toMatchObject({ code: 'data-dir-invalid' })
  })
})

describe('the lock', () => {
  let built: Built
  beforeAll(() => {
    built = buildStorage()
  })
  afterAll(() => built.remove())

  function child(): Child {
    const module = built.url('src/storage/data-directory.js')
    return new Child(process.execPath, [script('hold-child.mjs'), module, dir])
  }

  it('keeps a second opening of the same process out, until the first is closed', () => {
    const first = openDataDirectory(dir, five, version)
    expect(refusal()).toMatchObject({ code: 'data-dir-locked' })
    first.close()
    first.close()
    expect(make().created).toBe(false)
  })

  it('keeps another process out', async () => {
    const first = openDataDirectory(dir, five, version)
    const before = contents(dir)
    const other = child()
    await other.line('REFUSED data-dir-locked')
    expect(contents(dir)).toEqual(before)
    first.close()
  })

  it('is let go by the kernel when its holder is killed', async () => {
    const holder = child()
    await holder.line('OPEN')
    expect(refusal()).toMatchObject({ code: 'data-dir-locked' })
    await holder.kill()
    expect(make(anything).created).toBe(false)
  })
})

describe('a JSON file of the directory', () => {
  it('is read as it was written, or undefined when it is not there', () => {
    const directory = openDataDirectory(dir, five, version)
    expect(directory.readJson('buckets.json')).toBeUndefined()
    directory.writeJson('buckets.json', { sessions: { n: 2 } })
    directory.writeJson('buckets.json', { sessions: { n: 3 } })
    expect(directory.readJson('buckets.json')).toEqual({ sessions: { n: 3 } })
    expect(existsSync(join(dir, 'buckets.json.new'))).toBe(false)
    directory.close()
  })

  it('that is damaged is refused by name', () => {
    const directory = openDataDirectory(dir, five, version)
    writeFileSync(join(dir, 'buckets.json'), '{')
    expect(() => directory.readJson('buckets.json')).toThrow(/damaged buckets\.json/)
    directory.close()
  })

  it('that cannot be written leaves the old one, and no trace', () => {
    const directory = openDataDirectory(dir, five, version)
    mkdirSync(join(dir, 'buckets.json'))
    expect(() => directory.writeJson('buckets.json', 1)).toThrow(
      expect.objectContaining({ code: 'storage-unavailable' }),
    )
    expect(readdirSync(dir).filter((name) => name.startsWith('buckets'))).toEqual(['buckets.json'])
    directory.close()
  })
})

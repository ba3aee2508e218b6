// The data directory as a real cluster left it, with one of its files spoiled: it is opened, or refused with a
// code of the directory's, and never with another error. Nothing in a file reaches the prototype of anything.
// What a whole file may say is tested beside its reader (test/storage); damage to the stores is not here.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from '../../dist/index.js'
import { RingspunError } from '../../src/base/errors.js'
import { Buckets } from '../../src/client/buckets.js'
import { readRing } from '../../src/client/membership.js'
import { checkClusterOptions } from '../../src/client/options.js'
import { type DataDirectory, openDataDirectory } from '../../src/storage/data-directory.js'
import { openHighWater } from '../../src/storage/high-water.js'
import { mutated } from './mutations.js'

const version = '0.0.0'
const anything = { nodes: undefined, partitions: undefined, hash: undefined }
let dir: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ringspun-fuzz-'))
  const cluster = await Cluster.open({
    dir,
    nodes: 3,
    partitions: 8,
    memory: 32 * 1024 * 1024,
    log: () => {},
  })
  const bucket = cluster.bucket('sessions', { n: 2 })
  for (let i = 0; i < 20; i++) await bucket.put(`key-${i}`, i)
  await cluster.close()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function open(): DataDirectory {
  return openDataDirectory(dir, anything, version)
}

/** The code of the refusal, 'opened' when there was none; any other error is the failure of the test. */
function answerOf(act: (directory: DataDirectory) => void): string {
  let directory: DataDirectory | undefined
  try {
    directory = open()
    act(directory)
    return 'opened'
  } catch (error) {
    if (error instanceof RingspunError) return error.code
    throw error
  } finally {
    directory?.close()
  }
}

/** Runs with each spoiled version of the file in its place, and puts the file back. */
function withSpoiled(file: string, runs: number, check: (bytes: Buffer) => void): void {
  const path = join(dir, file)
  const whole = readFileSync(path)
  try {
    fc.assert(
      fc.property(mutated([whole]), (bytes) => {
        writeFileSync(path, bytes)
        check(bytes)
      }),
      { numRuns: runs },
    )
  } finally {
    writeFileSync(path, whole)
  }
}

const ofTheDirectory = ['opened', 'data-dir-invalid', 'data-dir-format', 'data-dir-layout']

describe('a spoiled file of a real directory', () => {
  it('ringspun.json is read or refused', () => {
    const answers = new Set<string>()
    withSpoiled('ringspun.json', 250, () => answers.add(answerOf(() => {})))
    expect([...answers].filter((code) => !ofTheDirectory.includes(code))).toEqual([])
    expect(answers.has('data-dir-invalid')).toBe(true)
    expect(answerOf(() => {})).toBe('opened')
  })

  it('ring.json is read or refused', () => {
    const answers = new Set<string>()
    withSpoiled('ring.json', 250, () => answers.add(answerOf(readRing)))
    expect([...answers].filter((code) => !ofTheDirectory.includes(code))).toEqual([])
    expect(answers.has('data-dir-invalid')).toBe(true)
    expect(answerOf(readRing)).toBe('opened')
  })

  it('buckets.json is read or refused, and what is read are buckets within their bounds', () => {
    const settings = checkClusterOptions({ dir, nodes: 3, log: () => {} })
    const answers = new Set<string>()
    const read = (directory: DataDirectory) => {
      for (const { properties } of new Buckets(settings, directory).list()) {
        const { n, r, w, dw } = properties
        expect([n >= 1 && n <= 3, r <= n, w <= n, dw <= w]).toEqual([true, true, true, true])
        expect(Object.getPrototypeOf(properties)).toBe(Object.prototype)
      }
    }
    withSpoiled('buckets.json', 400, () => answers.add(answerOf(read)))
    expect([...answers].filter((code) => !ofTheDirectory.includes(code))).toEqual([])
    expect(answers.has('data-dir-invalid')).toBe(true)
    const whole = readFileSync(join(dir, 'buckets.json'))
    try {
      // A bucket may be called so: it is one like any other.
      writeFileSync(join(dir, 'buckets.json'), '{"__proto__": {"n": 2}, "constructor": {"n": 1}}')
      expect(answerOf(read)).toBe('opened')
      writeFileSync(join(dir, 'buckets.json'), '{"sessions": {"__proto__": {"n": 2}}}')
      expect(answerOf(read)).toBe('data-dir-invalid')
    } finally {
      writeFileSync(join(dir, 'buckets.json'), whole)
    }
    expect(({} as { n?: unknown }).n).toBeUndefined()
    expect(answerOf(read)).toBe('opened')
  })

  it('ring.json that is JSON of anything is refused', () => {
    const whole = readFileSync(join(dir, 'ring.json'))
    try {
      fc.assert(
        fc.property(fc.json({ maxDepth: 4 }), (json) => {
          writeFileSync(join(dir, 'ring.json'), json)
          expect(answerOf(readRing)).toBe('data-dir-invalid')
        }),
        { numRuns: 100 },
      )
    } finally {
      writeFileSync(join(dir, 'ring.json'), whole)
    }
  })

  it('the high-water file gives a note that was there, or none', () => {
    const path = join(dir, 'fuzzed-high-water')
    const first = openHighWater(path)
    for (const sequence of [7, 8]) first.note(5, sequence)
    first.close()
    withSpoiled('fuzzed-high-water', 400, () => {
      const file = openHighWater(path)
      file.close()
      expect([undefined, 7, 8]).toContain(file.last?.sequence)
      expect([undefined, 5]).toContain(file.last?.incarnation)
    })
    rmSync(path)
  })

  it.each(['ringspun.json', 'ring.json'])('%s with poisoned names changes no prototype', (file) => {
    const path = join(dir, file)
    const whole = readFileSync(path)
    const poison = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}},'
    writeFileSync(path, whole.toString().replace('{', poison))
    const answer = answerOf(readRing)
    writeFileSync(path, whole)
    expect(ofTheDirectory).toContain(answer)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('a spoiled buckets.json keeps the cluster closed, and says which file it is', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['cut off', '{"sessions": {"n"'],
    ['a list', '[]'],
    ['a bucket that is no object', '{"sessions": 2}'],
    ['a name that no bucket has', '{"a b": {}}'],
    ['a quorum that is a text', '{"sessions": {"n": "2"}}'],
    ['a quorum beyond all bounds', '{"sessions": {"n": 1e308}}'],
    ['a property that is not there', '{"sessions": {"copies": 2}}'],
  ]

  it.each(cases)('%s', async (_name, json) => {
    const path = join(dir, 'buckets.json')
    const whole = readFileSync(path)
    writeFileSync(path, json)
    try {
      const error: unknown = await Cluster.open({ dir, log: () => {} }).then(
        async (cluster) => {
          await cluster.close()
          return undefined
        },
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ name: 'RingspunError', outcome: 'refused', code: 'data-dir-invalid' })
      expect((error as Error).message).toContain('buckets.json')
      expect(readFileSync(path, 'utf8')).toBe(json)
    } finally {
      writeFileSync(path, whole)
    }
  })
})

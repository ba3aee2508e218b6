// The RocksDB store where it differs from any other: files that outlive it, locks, damage, order of calls to
// the kernel. Dynamo 4.9 leaves the guarantees of the persistence component to it; these are ours.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CommitLevel } from '../../src/storage/store.js'
import type { Built } from '../threads/object-buffer-build.js'
import { buildStorage, Child, hasStrace, script } from './built-storage.js'
import {
  close,
  commit,
  openRocks,
  type Place,
  put,
  readTexts,
  rowsOf,
  temporaryPlace,
} from './store-calls.js'
import { type Call, parseStrace } from './strace-log.js'

let built: Built
let place: Place
let dir: string
beforeAll(() => {
  built = buildStorage()
})
afterAll(() => built.remove())
beforeEach(() => {
  place = temporaryPlace()
  dir = join(place.path, 'node-1', 'objects')
})
afterEach(() => place.remove())

interface ChildPlan {
  readonly count?: number
  readonly writes: number
  readonly bytes: number
  readonly level: CommitLevel
  readonly every?: number
  readonly options?: object
}

function childArguments(plan: ChildPlan): string[] {
  const module = built.url('src/storage/rocksdb-store.js')
  return [script('commit-child.mjs'), module, JSON.stringify({ dir, ...plan })]
}

/** The log file that holds what was written last. */
function newestLog(): string {
  const logs = readdirSync(dir).filter((name) => /^\d+\.log$/.test(name))
  return join(dir, logs.sort().at(-1) as string)
}

describe('a directory', () => {
  it('is made with all that is missing above it, and keeps its rows', async () => {
    const first = await openRocks(dir)
    await commit(first.store, [put('a', '1')], 'disk')
    await commit(first.store, [put('b', '2')], 'os')
    await close(first.store)
    const second = await openRocks(dir)
    expect(second.damage).toBeUndefined()
    expect(await readTexts(second.store, 'a', 'b')).toEqual(['1', '2'])
    await close(second.store)
  })

  it('that is open already is refused, here and in another process, until that is gone', async () => {
    const { store } = await openRocks(dir)
    await expect(openRocks(dir)).rejects.toMatchObject({ code: 'data-dir-locked' })
    await close(store)
    const child = new Child(process.execPath, childArguments({ writes: 1, bytes: 10, level: 'os' }))
    await child.line('DONE')
    await expect(openRocks(dir)).rejects.toMatchObject({ code: 'data-dir-locked' })
    await child.kill()
    await close((await openRocks(dir)).store)
  })

  it('that is a file, or whose tables are gone, is refused with the reason', async () => {
    const file = join(place.path, 'file')
    writeFileSync(file, '')
    await expect(openRocks(file)).rejects.toMatchObject({ code: 'storage-unavailable' })
    await close((await openRocks(dir)).store)
    writeFileSync(join(dir, 'CURRENT'), 'nonsense\n')
    await expect(openRocks(dir)).rejects.toMatchObject({ code: 'storage-unavailable' })
  })

  it('named after a lock is not taken for a locked one', async () => {
    const odd = join(place.path, 'a lock file')
    writeFileSync(odd, '')
    await expect(openRocks(odd)).rejects.toMatchObject({ code: 'storage-unavailable' })
  })
})

describe('kill -9', () => {
  it.each(['os', 'disk'] as const)('leaves every commit that was answered at level %s', async (level) => {
    const child = new Child(process.execPath, childArguments({ writes: 3, bytes: 200, level }))
    await child.line('DONE 60')
    await child.kill()
    const answered = Number(child.lines.at(-1)?.split(' ')[1])
    const { store, damage } = await openRocks(dir)
    expect(damage).toBeUndefined()
    const rows = await rowsOf(store)
    const [last] = await readTexts(store, 'last')
    expect(Number(last)).toBeGreaterThanOrEqual(answered)
    // Whole commits, without a gap: three rows for each up to the last, and the row that names it.
    expect(rows).toHaveLength(Number(last) * 3 + 1)
    await close(store)
  })
})

describe('a log', () => {
  async function hundredCommits(): Promise<string> {
    const child = new Child(process.execPath, childArguments({ writes: 1, bytes: 300, level: 'os' }))
    await child.line('DONE 100')
    await child.kill()
    return newestLog()
  }

  it('with a torn tail opens without complaint: the torn commit was never answered', async () => {
    const log = await hundredCommits()
    truncateSync(log, readFileSync(log).length - 20)
    const { store, damage } = await openRocks(dir)
    expect(damage).toBeUndefined()
    expect((await rowsOf(store)).length).toBeGreaterThan(90)
    await close(store)
  })

  it('with one flipped bit opens with what came before it, and says so, once', async () => {
    const log = await hundredCommits()
    const bytes = readFileSync(log)
    const middle = bytes.length >>> 1
    bytes[middle] = (bytes[middle] as number) ^ 1
    writeFileSync(log, bytes)
    const first = await openRocks(dir)
    expect(first.damage?.message).toContain('checksum')
    const left = await rowsOf(first.store)
    expect(left.length).toBeGreaterThan(5)
    // Batches that were asked for together are one of the log: where its middle lies nobody can say to the row.
    expect(left.length).toBeLessThan(100)
    await commit(first.store, [put('new', '1')], 'disk')
    await close(first.store)
    const second = await openRocks(dir)
    expect(second.damage).toBeUndefined()
    expect(await rowsOf(second.store)).toEqual([...left, 'new'].sort())
    await close(second.store)
  })
})

describe.skipIf(!hasStrace)('seen by strace (skipped where there is none): a commit to disk', () => {
  const traced = 'trace=write,pwrite64,writev,pwritev,pwritev2,fdatasync,fsync,openat,unlink,unlinkat'

  function trace(plan: ChildPlan, ...more: string[]): { readonly calls: Call[]; readonly output: string } {
    const file = join(place.path, 'strace.txt')
    const args = ['-f', '-y', '-qq', '-s', '32', '-o', file, '-e', traced, ...more]
    const output = execFileSync('strace', [...args, process.execPath, ...childArguments(plan)], {
      encoding: 'utf8',
    })
    return { calls: parseStrace(readFileSync(file, 'utf8')), output }
  }

  const isLog = (call: Call) => dirname(call.path) === dir && /\/\d+\.log$/.test(call.path)
  const isWrite = (call: Call) => call.name.includes('write')
  const isSync = (call: Call) => call.name === 'fsync' || call.name === 'fdatasync'

  /** A successful sync of `path` that began after `after` and was over before `before`. */
  function syncedBetween(calls: readonly Call[], path: string, after: Call, before: Call): boolean {
    return calls.some(
      (call) =>
        isSync(call) &&
        call.path === path &&
        call.succeeded &&
        call.begun > after.ended &&
        call.ended < before.begun,
    )
  }

  /** Before each DONE: every log that was written to is synced after its last write, and so is the new one's name. */
  function expectDurable(calls: readonly Call[]): { readonly marks: number; readonly logs: Set<string> } {
    const marks = calls.filter((call) => isWrite(call) && call.text.includes('"DONE '))
    const logs = new Set<string>()
    for (const mark of marks) {
      const before = calls.filter((call) => call.begun < mark.begun && isLog(call))
      const removed = new Set(before.filter(({ name }) => name.startsWith('unlink')).map(({ path }) => path))
      const lastWrites = new Map(before.filter(isWrite).map((call) => [call.path, call]))
      for (const [path, write] of lastWrites) {
        logs.add(path)
        if (removed.has(path)) continue
        expect(syncedBetween(calls, path, write, mark), `${path} synced before ${mark.text}`).toBe(true)
      }
      for (const made of before.filter(({ text }) => text.includes('O_CREAT'))) {
        const named = removed.has(made.path) || syncedBetween(calls, dir, made, mark)
        expect(named, `name of ${made.path} synced before ${mark.text}`).toBe(true)
      }
    }
    return { marks: marks.length, logs }
  }

  it('is written to the log, then synced, then answered', () => {
    const { calls } = trace({ count: 12, writes: 8, bytes: 100, level: 'disk' })
    const { marks, logs } = expectDurable(calls)
    expect(marks).toBe(12)
    expect(logs.size).toBe(1)
  })

  it('is so when the log rotates, once within a commit or several times between two', () => {
    const options = { writeBufferBytes: 65_536 }
    const { calls } = trace({ count: 60, writes: 16, bytes: 2_000, level: 'disk', every: 6, options })
    const { marks, logs } = expectDurable(calls)
    expect(marks).toBe(10)
    expect(logs.size).toBeGreaterThan(8)
  })

  it('whose fsync fails is answered with an error, and the store takes no more', () => {
    const inject = ['-P', join(dir, '000004.log'), '-e', 'inject=fdatasync:error=EIO:when=2+']
    const { output } = trace({ count: 50, writes: 1, bytes: 10, level: 'disk' }, ...inject)
    expect(output).toMatch(/^FAILED storage-failed .*EIO/m)
    expect(output).toMatch(/^THEN storage-failed the store failed before/m)
    expect(output).toMatch(/CLOSED\n$/)
  })
})

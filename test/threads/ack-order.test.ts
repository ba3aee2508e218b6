// Durable before acknowledged, for the whole way from a client to the disk and back, as the kernel saw it: the
// value is in the log of dw nodes, and that log is synced, before the application hears of it. What the store
// alone promises is in test/storage/rocksdb-store.test.ts.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hasStrace } from '../storage/built-storage.js'
import { type Call, parseStrace } from '../storage/strace-log.js'
import { temporary } from './cluster-helpers.js'

const puts = 12

const child = fileURLToPath(new URL('./ack-order-child.mjs', import.meta.url))

function traced(dw: number, durability: string): Call[] {
  const place = temporary()
  const file = join(place, 'strace.txt')
  const calls = 'trace=write,pwrite64,writev,pwritev,pwritev2,fdatasync,fsync'
  // Long enough a text of each call that the value is in it.
  const args = ['-f', '-y', '-qq', '-s', '4096', '-o', file, '-e', calls]
  const program = [process.execPath, child, join(place, 'data'), String(dw), durability, String(puts)]
  execFileSync('strace', [...args, ...program], { stdio: 'ignore' })
  return parseStrace(readFileSync(file, 'utf8'))
}

const isLog = (call: Call) => /\/objects\/\d+\.log$/.test(call.path)
const isSync = (call: Call) => call.name === 'fsync' || call.name === 'fdatasync'

/** Logs that held the value, at the level, when it was acknowledged. */
function logsWith(calls: readonly Call[], i: number, mark: Call, synced: boolean): Set<string> {
  const logs = new Set<string>()
  for (const write of calls) {
    if (!isLog(write) || isSync(write) || !write.text.includes(`<value ${i}>`)) continue
    if (!write.succeeded || write.ended > mark.begun) continue
    const sync = calls.some(
      (call) =>
        isSync(call) &&
        call.path === write.path &&
        call.succeeded &&
        call.begun > write.ended &&
        call.ended < mark.begun,
    )
    if (sync || !synced) logs.add(write.path)
  }
  return logs
}

describe.skipIf(!hasStrace)('seen by strace (skipped where there is none): an acknowledged put', () => {
  it.each([
    [1, 'disk'],
    [2, 'disk'],
    [3, 'disk'],
    [1, 'os'],
    [2, 'os'],
  ] as const)('with dw %i at level %s is in so many logs', (dw, durability) => {
    const calls = traced(dw, durability)
    for (let i = 1; i <= puts; i++) {
      const mark = calls.find(({ text }) => text.includes(`"ACKNOWLEDGED ${i}\\n`)) as Call
      expect(mark, `put ${i} is acknowledged`).toBeDefined()
      const logs = logsWith(calls, i, mark, durability === 'disk')
      expect(logs.size, `logs with put ${i}`).toBeGreaterThanOrEqual(dw)
    }
  })
})

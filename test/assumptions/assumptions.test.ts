// What src/sim and the production code assume of Node and of RocksDB, shown on the real thing. The checks are plain
// JavaScript, each in a process of its own: scripts/check-package.mjs runs the same on every supported line of Node.

import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

interface Check {
  readonly name: string
  readonly title: string
}

const runner = fileURLToPath(new URL('./run.mjs', import.meta.url))
const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const checks: Check[] = JSON.parse(execFileSync(process.execPath, [runner, '--list'], { encoding: 'utf8' }))

test.each(checks)('$title', async ({ name }) => {
  const { stdout } = await promisify(execFile)(process.execPath, [runner, dist, name]).catch((error) => error)
  const result: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
  expect(result).toMatchObject({ holds: true })
})

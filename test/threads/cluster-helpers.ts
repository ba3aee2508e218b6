// What the tests of real clusters share: directories that go when the test is over, clusters that are closed,
// and a wait for a condition instead of a sleep. All of it runs against the built dist/: worker entries are
// built files.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { LocalCluster } from '../../dist/client/cluster.js'
import { Cluster, type ClusterOptions, RingspunError } from '../../dist/index.js'

export const quick: ClusterOptions = {
  nodes: 3,
  partitions: 16,
  memory: 32 * 1024 * 1024,
  log: () => {},
}

/** A directory that is removed when the test is over. */
export function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A cluster that is closed when the test is over; `machine` and `status` reach below its public face. */
export async function openCluster(options: ClusterOptions = {}): Promise<LocalCluster> {
  const cluster = (await Cluster.open({ ...quick, ...options })) as LocalCluster
  onTestFinished(() => cluster.close())
  return cluster
}

/** What opening a cluster fails with; nothing is left open either way. */
export async function refusalOf(options: ClusterOptions): Promise<RingspunError> {
  let error: unknown
  try {
    const cluster = await Cluster.open({ ...quick, ...options })
    await cluster.close()
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(RingspunError)
  return error as RingspunError
}

/** Resolves when the condition holds. Fails, and does not hang, when it never does. */
export async function until(what: string, holds: () => boolean, msMax = 30_000): Promise<void> {
  const end = performance.now() + msMax
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited ${msMax} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

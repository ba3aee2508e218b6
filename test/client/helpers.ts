// What the tests of the client share: a small cluster in memory only, and the one shape of a refusal. A
// refused operation must say so by code and outcome, and must have had no effect.

import { expect, onTestFinished } from 'vitest'
import { Cluster, type ClusterOptions, RingspunError } from '../../dist/index.js'

/** Three nodes, few partitions, no disk: begins in a moment. */
export const small: ClusterOptions = { nodes: 3, partitions: 8, memory: 32 * 1024 * 1024, log: () => {} }

/** A cluster that is closed when the test is over. */
export async function openSmall(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.open({ ...small, ...options })
  onTestFinished(() => cluster.close())
  return cluster
}

/** The error that comes back, wherever it comes from; undefined when none did. */
export async function errorOf(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  return undefined
}

/** Asserts a refusal with this code, and answers it. */
export async function expectRefused(act: () => unknown, code: string): Promise<RingspunError> {
  const error = await errorOf(act)
  expect(error, `expected ${code}`).toBeInstanceOf(RingspunError)
  const refusal = error as RingspunError
  expect({ code: refusal.code, outcome: refusal.outcome }).toEqual({ code, outcome: 'refused' })
  expect(refusal.message.length).toBeGreaterThan(5)
  expect(refusal.remedy.length).toBeGreaterThan(5)
  return refusal
}

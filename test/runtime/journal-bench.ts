// A journal on a store that answers when the test says so, with names for what it writes, logs and releases.

import { expect } from 'vitest'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope } from '../../src/protocol/envelope.js'
import { Journal } from '../../src/runtime/journal.js'
import { decodeMeta, type Meta, metaRow } from '../../src/storage/meta.js'
import { readRedo, redoBounds } from '../../src/storage/redo-rows.js'
import { type CommitLevel, objectRow } from '../../src/storage/store.js'
import { type HandDriven, handDriven, key, type PendingCommit } from './hand-driven.js'

const self = singleAddress('host', 1)

export interface Bench extends HandDriven {
  readonly journal: Journal
  /** Names of what was released, in order. */
  readonly released: string[]
  /** Writes, and an answer that waits for it. */
  readonly write: (name: string, level: CommitLevel, value?: string) => void
  /** Asked of memory only: logged and flushed some day. */
  readonly buffer: (name: string, value?: string) => void
  readonly remove: (name: string) => void
  /** Ends what is under way and whatever follows, until nothing is; answers what was committed. */
  readonly settle: () => PendingCommit[]
  /** Moves the clock to when the journal wants to be pumped, and pumps. */
  readonly goOn: () => void
}

export function bench(): Bench {
  const driven = handDriven()
  const { memory, store, clock } = driven
  const released: string[] = []
  const names = new Map<Envelope, string>()
  const journal = new Journal(
    driven.ports,
    driven.storage,
    (envelope) => void released.push(names.get(envelope) ?? '?'),
    (hash) => hash % 16,
    () => undefined,
  )
  const named = (name: string): Envelope => {
    const message = { type: 'repair-due' } as const
    const envelope: Envelope = { to: self, from: self, request: 0, deadline: 0, message }
    names.set(envelope, name)
    return envelope
  }
  const put = (name: string, value: string, level: CommitLevel | 'memory') => {
    const bytes = Buffer.from(value)
    expect(memory.put(key(name), name.length, bytes, 'dirty')).toBe(true)
    journal.write(key(name), name.length, bytes, level)
  }
  const buffer = (name: string, value = name) => put(name, value, 'memory')
  const write = (name: string, level: CommitLevel, value = name) => {
    put(name, value, level)
    journal.gate(level, named(name), named(`${name} failed`))
  }
  const remove = (name: string) => {
    journal.forget(name.length % 16, key(name))
    memory.remove(key(name), name.length)
  }
  const settle = () => {
    const ended: PendingCommit[] = []
    while (store.commits.length + store.deletions.length > 0) {
      const commit = store.commits.shift()
      if (commit !== undefined) ended.push(commit)
      commit?.end()
      store.deletions.shift()?.end()
    }
    return ended
  }
  const goOn = () => {
    clock.now = Math.max(clock.now, journal.nextDue() ?? clock.now)
    journal.pump()
  }
  return { ...driven, journal, released, write, buffer, remove, settle, goOn }
}

/** Of objects. */
export function rowsOf(commit: PendingCommit): string[] {
  return commit.writes.map(({ row }) => row).filter((row) => row.startsWith('o'))
}

/** What the commit logs: `name=value`, or `name` alone where it is settled. */
export function loggedIn(commit: PendingCommit): string[] {
  const records: string[] = []
  const nameOf = (of: string) => of.slice('test\0'.length)
  for (const { row, value } of commit.writes) {
    if (row <= redoBounds.after || row >= redoBounds.before || value === undefined) continue
    readRedo(value, {
      object: (of, _hash, bytes) => void records.push(`${nameOf(of)}=${Buffer.from(bytes)}`),
      settled: (of) => void records.push(nameOf(of)),
    })
  }
  return records
}

export function logOf(rows: ReadonlyMap<string, Uint8Array>): string[] {
  return [...rows.keys()].filter((row) => row > redoBounds.after && row < redoBounds.before)
}

export function metaOf(commit: PendingCommit): Meta {
  const row = commit.writes.find(({ row }) => row === metaRow)
  return decodeMeta(row?.value as Uint8Array)
}

export function rowOf(name: string): string {
  return objectRow(name.length % 16, key(name))
}

export function envelopeOf(): Envelope {
  return { to: self, from: self, request: 0, deadline: 0, message: { type: 'repair-due' } }
}

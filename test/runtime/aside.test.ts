// Messages whose object is not in memory: those for the same key keep their order while the disk is read,
// those for other keys are not held up, and a row that cannot be read is unreadable, never absent.

import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import type { Fetched } from '../../src/protocol/read.js'
import type { Put } from '../../src/protocol/write.js'
import { createRing, hashOf, partitionOf } from '../../src/ring/ring.js'
import { Host } from '../../src/runtime/host.js'
import { metaRow } from '../../src/storage/meta.js'
import { objectRow } from '../../src/storage/store.js'
import { withMode } from '../../src/versions/mode.js'
import type { StoredObject } from '../../src/versions/object.js'
import { decodeObject, encodeObject } from '../../src/versions/object-codec.js'
import { type HandDriven, handDriven, key } from './hand-driven.js'

const ring = createRing({ epoch: 1, partitions: 4, copies: 1, nodes: [1], hash: 'halfsip', seed: [1, 2] })
const gateway = singleAddress('gateway', 9)

interface Bench extends HandDriven {
  readonly host: Host
  /** Says something to the vnode of a key. */
  readonly say: (name: string, message: Message) => number
  readonly fetch: (name: string) => number
  readonly put: (name: string, value: string) => number
  /** Puts an object into the store, past everything. */
  readonly stored: (name: string, value: string) => void
  /** Turns until there is nothing to do but to wait for the disk. */
  readonly turn: () => void
  /** Texts that a fetch was answered with, undefined for absent. */
  readonly answers: () => {
    readonly request: number
    readonly type: string
    readonly text: string | undefined
  }[]
}

function objectOf(value: string): StoredObject {
  const actor = 5
  return {
    clock: [{ actor, counter: 1, time: 1 }],
    siblings: [
      {
        dot: { actor, counter: 1 },
        stamp: 1,
        expires: 0,
        deleted: false,
        encoding: withMode(1, 'last-write-wins', false, 3),
        value: Buffer.from(value),
      },
    ],
  }
}

function bench(): Bench {
  const driven = handDriven({ complete: false })
  const host = new Host(driven.ports, { supervisor: false })
  const self = singleAddress('host', 1)
  const tell = (message: Message) => host.receive({ to: self, from: self, request: 0, deadline: 0, message })
  tell({ type: 'ring-changed', ring })
  tell({ type: 'nodes-changed', version: 1, nodes: [{ node: 1, state: 'up', generation: 1 }] })
  const turn = () => {
    do host.step()
    while (host.hasWork())
  }
  turn()
  let request = 0
  const hash = (name: string) => hashOf(ring, key(name))
  const say = (name: string, message: Message) => {
    const to = vnodeAddress(1, partitionOf(ring, hash(name)))
    host.receive({ to, from: gateway, request: ++request, deadline: 60_000_000, message })
    return request
  }
  const putOf = (name: string, value: string): Put => ({
    type: 'put',
    key: key(name),
    hash: hash(name),
    change: 'value',
    value: Buffer.from(value),
    encoding: withMode(1, 'last-write-wins', false, 3),
    checksum: crc32(Buffer.from(value), hash(name)),
    context: undefined,
    coordinator: 0,
    expires: 0,
    keepExpiry: false,
    condition: 'none',
    returnPrevious: false,
    conflicts: 'last-write-wins',
    n: 1,
    w: 1,
    dw: 0,
    level: 'disk',
    pw: 0,
    standsInFor: 0,
    looked: false,
    seen: undefined,
    seenUntil: 0,
  })
  const textOf = (name: string, { object }: Fetched) =>
    object && `${decodeObject(object, hash(name)).siblings[0]?.value}`
  const asked = new Map<number, string>()
  return {
    ...driven,
    host,
    say,
    turn,
    fetch: (name) => {
      const number = say(name, { type: 'fetch', key: key(name), hash: hash(name) })
      asked.set(number, name)
      return number
    },
    put: (name, value) => say(name, putOf(name, value)),
    stored: (name, value) => {
      const row = objectRow(partitionOf(ring, hash(name)), key(name))
      driven.store.rows.set(row, encodeObject(objectOf(value), hash(name)))
    },
    answers: () =>
      driven.posted.splice(0).map(({ request: of, message }) => ({
        request: of,
        type: message.type,
        text: message.type === 'fetched' ? textOf(asked.get(of) ?? '', message) : undefined,
      })),
  }
}

function rowOf(name: string): string {
  return objectRow(partitionOf(ring, hashOf(ring, key(name))), key(name))
}

describe('a key that is not in memory', () => {
  it('is read from the store, once for all who ask, and then from memory', () => {
    const { fetch, turn, store, stored, answers } = bench()
    stored('a', 'on disk')
    const first = fetch('a')
    const second = fetch('a')
    turn()
    const third = fetch('a')
    turn()
    expect(answers()).toEqual([])
    expect(store.reads.map(({ rows }) => rows)).toEqual([[rowOf('a')]])
    store.nextRead().end()
    turn()
    expect(answers()).toEqual(
      [first, second, third].map((request) => ({ request, type: 'fetched', text: 'on disk' })),
    )
    const fourth = fetch('a')
    turn()
    expect(answers()).toEqual([{ request: fourth, type: 'fetched', text: 'on disk' }])
    expect(store.reads).toHaveLength(0)
  })

  it('does not hold up other keys', () => {
    const { fetch, put, turn, store, stored, answers } = bench()
    stored('cold', 'on disk')
    put('warm', 'in memory')
    turn()
    store.nextRead().end()
    turn()
    answers()
    const cold = fetch('cold')
    const warm = fetch('warm')
    turn()
    expect(answers()).toEqual([{ request: warm, type: 'fetched', text: 'in memory' }])
    store.nextRead().end()
    turn()
    expect(answers()).toEqual([{ request: cold, type: 'fetched', text: 'on disk' }])
  })

  it('keeps the order of its messages: a read before a write does not see it, a read after it does', () => {
    const { fetch, put, turn, store, stored, answers } = bench()
    stored('a', 'old')
    fetch('a')
    put('a', 'new')
    fetch('a')
    turn()
    put('a', 'newest')
    fetch('a')
    turn()
    store.nextRead().end()
    turn()
    const texts = answers().flatMap(({ type, text }) => (type === 'fetched' ? [text] : []))
    expect(texts).toEqual(['old', 'new', 'newest'])
  })

  it('that no store has is absent', () => {
    const { fetch, turn, store, answers } = bench()
    const request = fetch('nothing')
    turn()
    store.nextRead().end()
    turn()
    expect(answers()).toEqual([{ request, type: 'fetched', text: undefined }])
  })

  it('is not asked of the store when memory is known to hold everything', () => {
    const { fetch, turn, store, memory, answers } = bench()
    memory.complete = true
    const request = fetch('nothing')
    turn()
    expect(store.reads).toHaveLength(0)
    expect(answers()).toEqual([{ request, type: 'fetched', text: undefined }])
  })
})

describe('a row that cannot be read', () => {
  const damages: Record<string, Error | Uint8Array> = {
    'a bad block': new Error('bad block'),
    'a wrong checksum': Buffer.from('not an object at all'),
    'the object of another key': encodeObject(objectOf('v'), 12345),
    nothing: new Uint8Array(0),
  }

  it.each(Object.keys(damages))('%s: the read fails, it does not say absent', (name) => {
    const { fetch, turn, store, posted } = bench()
    fetch('a')
    turn()
    store.nextRead().end(new Map([[rowOf('a'), damages[name] as Error]]))
    turn()
    expect(posted.map(({ message }) => message)).toEqual([{ type: 'fetch-failed', code: 'unreadable' }])
  })

  it.each(Object.keys(damages))('%s: a put is refused, nothing is written over it', (name) => {
    const { put, turn, store, posted } = bench()
    put('a', 'new')
    turn()
    store.nextRead().end(new Map([[rowOf('a'), damages[name] as Error]]))
    turn()
    expect(posted.map(({ message }) => message)).toMatchObject([{ type: 'put-failed', code: 'unreadable' }])
    for (const commit of store.commits) expect(commit.writes.map(({ row }) => row)).toEqual([metaRow])
  })

  it.each(Object.keys(damages))('%s: a good copy from another replica takes its place', (name) => {
    const { say, fetch, turn, store, posted, answers } = bench()
    const hash = hashOf(ring, key('a'))
    say('a', {
      type: 'replicate',
      key: key('a'),
      hash,
      object: encodeObject(objectOf('good'), hash),
      level: 'os',
    })
    turn()
    store.nextRead().end(new Map([[rowOf('a'), damages[name] as Error]]))
    turn()
    expect(posted).toEqual([])
    store.nextCommit().end()
    turn()
    expect(posted.splice(0).map(({ message }) => message)).toEqual([{ type: 'replicated', level: 'os' }])
    const request = fetch('a')
    turn()
    for (const read of store.reads.splice(0)) read.end()
    turn()
    expect(answers()).toEqual([{ request, type: 'fetched', text: 'good' }])
  })

  it('a store that fails as a whole fails every read of the turn, and no other key', () => {
    const { fetch, turn, store, stored, posted, answers } = bench()
    stored('c', 'fine')
    fetch('a')
    fetch('b')
    turn()
    store.nextRead().end(undefined, new Error('closed'))
    turn()
    expect(posted.splice(0).map(({ message }) => message.type)).toEqual(['fetch-failed', 'fetch-failed'])
    const request = fetch('c')
    turn()
    store.nextRead().end()
    turn()
    expect(answers()).toEqual([{ request, type: 'fetched', text: 'fine' }])
  })
})

describe('many keys in random order', () => {
  it('each key sees its own messages in order, whatever the order in which the disk answers', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { fetch, put, turn, store, posted } = bench()
      const expected = new Map<number, string | undefined>()
      const last = new Map<string, string>()
      const names = new Map<number, string>()
      for (let i = 0; i < 60; i++) {
        const name = `k${(i * seed * 7 + i) % 5}`
        if ((i * seed) % 3 === 0) {
          put(name, `v${i}`)
          last.set(name, `v${i}`)
        } else {
          const request = fetch(name)
          expected.set(request, last.get(name))
          names.set(request, name)
        }
        if ((i + seed) % 4 === 0) turn()
        if ((i + seed) % 5 === 0) store.reads.splice(store.reads.length >> 1, 1)[0]?.end()
      }
      do {
        for (const read of store.reads.splice(0)) read.end()
        turn()
      } while (store.reads.length > 0)
      const found = new Map<number, string | undefined>()
      for (const { request, message } of posted as Envelope[]) {
        if (message.type !== 'fetched') continue
        const hash = hashOf(ring, key(names.get(request) as string))
        found.set(request, message.object && `${decodeObject(message.object, hash).siblings[0]?.value}`)
      }
      expect(found, `seed ${seed}`).toEqual(expected)
    }
  })
})

// What does a put cost without its threads? Three nodes and a gateway, real hosts, mailboxes, memory and trees, all in
// this one thread, which takes their turns in order: no wake-up, no promise, no disk. The store takes everything and
// keeps nothing. What `turn` shows beyond this is the price of threads, of promises, and of the disk.

import { crc32 } from 'node:zlib'
import { Writer } from '../dist/base/bytes.js'
import { seededRandom } from '../dist/base/random.js'
import { singleAddress } from '../dist/protocol/address.js'
import { decodeEnvelope, encodeEnvelope } from '../dist/protocol/codec.js'
import { createRing, hashOf } from '../dist/ring/ring.js'
import { Host } from '../dist/runtime/host.js'
import { createMailbox, MailboxReader, MailboxWriter } from '../dist/runtime/mailbox.js'
import { createServingTable, ServingNotes, ServingTable } from '../dist/runtime/serving-table.js'
import { Trees } from '../dist/runtime/trees.js'
import { ObjectBuffer } from '../dist/storage/object-buffer.js'
import { createObjectBuffer } from '../dist/storage/object-buffer-layout.js'
import { table } from './tools.mjs'

const keys = 100_000
const partitions = 256
const nodes = [1, 2, 3]
const threads = [0, ...nodes]
const names = Array.from({ length: keys }, (_, i) => `b\0user${String((i * 7919) % keys).padStart(8, '0')}`)
const value = Buffer.alloc(100, 'x')
const MiB = 1024 * 1024

export async function run({ seconds }) {
  const results = []
  for (const level of ['memory', 'disk']) {
    for (const inFlight of [16, 64, 256]) {
      const world = makeWorld(level)
      await world.load(inFlight, Math.max(1, seconds / 3))
      results.push({ what: `put, level ${level}, dw 0`, inFlight, ...(await world.load(inFlight, seconds)) })
    }
  }
  table(
    results.map(({ what, inFlight, microseconds }) => ({
      what,
      'in flight': String(inFlight),
      'us a put': microseconds,
    })),
  )
  return results
}

function makeWorld(level) {
  const ring = createRing({ epoch: 1, partitions, copies: 3, nodes, hash: 'halfsip', seed: [1, 2] })
  const serving = new ServingTable(createServingTable(partitions), partitions)
  serving.setEpoch(1)
  const ways = threads.map((from) => threads.map((to) => (from === to ? undefined : makeWay())))
  const scratch = new Writer(64 * 1024)
  let answered = 0
  const post = (from) => (envelope) => {
    scratch.reset()
    encodeEnvelope(scratch, envelope)
    ways[from][envelope.to.node].writer.push(1, 1, scratch.bytes, 0, scratch.length)
    return 'sent'
  }
  const hosts = threads.map((thread) => makeHost(thread, serving, post(thread), () => answered++))
  for (const [thread, host] of hosts.entries()) tell(host, thread, ring)
  const turn = (thread) => {
    for (const other of threads) {
      const reader = ways[other][thread]?.reader
      if (reader === undefined || reader.isEmpty()) continue
      reader.drain(1024, MiB, 1, 1, (bytes, start, end) =>
        hosts[thread].receive(decodeEnvelope(bytes, start, end)),
      )
    }
    hosts[thread].step()
    for (const other of threads) ways[thread][other]?.writer.publish()
  }
  let asked = 0
  const round = (inFlight) => {
    while (asked - answered < inFlight) {
      hosts[0].receive(putOf(names[asked % keys], ring, ++asked, level))
    }
    // To the coordinators, to the others, back to the coordinators, and back.
    for (const thread of [0, ...nodes, ...nodes, 0]) turn(thread)
  }
  const load = async (inFlight, seconds) => {
    const before = answered
    const begun = process.cpuUsage()
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      for (let puts = 0; puts < 2048; puts += inFlight) round(inFlight)
      // The store answers here.
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { user, system } = process.cpuUsage(begun)
    return { microseconds: (user + system) / (answered - before) }
  }
  return { load }
}

/** Microseconds of a turn of a node that has nothing to do (for bench/limits.mjs). */
export function emptyTurn(rateOf) {
  const ring = createRing({ epoch: 1, partitions, copies: 3, nodes, hash: 'halfsip', seed: [1, 2] })
  const serving = new ServingTable(createServingTable(partitions), partitions)
  serving.setEpoch(1)
  const host = makeHost(
    1,
    serving,
    () => 'sent',
    () => {},
  )
  tell(host, 1, ring)
  return 1e6 / rateOf(() => host.step())
}

function makeWay() {
  const memory = createMailbox(MiB)
  return { writer: new MailboxWriter(memory, 64 * MiB), reader: new MailboxReader(memory, 64 * MiB) }
}

function makeHost(thread, serving, post, outside) {
  const isNode = thread !== 0
  const ports = {
    thread,
    now: () => performance.now(),
    wall: () => Date.now(),
    random: seededRandom(thread),
    post,
    outside,
    wake: () => {},
    fatal: (error) => {
      throw error
    },
    heard: () => {},
    mendEveryMs: 0,
    travelMsMax: 60_000,
    reapAfterMs: 0,
    life: { incarnation: thread + 10, stampFloor: 0, catchUp: undefined, volatile: [] },
    peers: () => [],
    serving: isNode ? new ServingNotes(serving, thread, 1) : undefined,
    storage: isNode ? makeStorage() : undefined,
  }
  return new Host(ports, { supervisor: !isNode })
}

function makeStorage() {
  const memory = new ObjectBuffer(createObjectBuffer(256 * MiB))
  memory.complete = true
  const store = {
    commit: (_writes, _level, done) => setImmediate(done, undefined),
    read: (rows, done) =>
      setImmediate(
        done,
        undefined,
        Array.from(rows, () => undefined),
      ),
    walk: (_after, _before, _limit, done) => setImmediate(done, undefined, []),
    deleteRange: (_from, _to, done) => setImmediate(done, undefined),
    close: (done) => setImmediate(done, undefined),
  }
  return { memory, store, highWater: { note() {} }, trees: new Trees(partitions), sequence: 0 }
}

function tell(host, thread, ring) {
  const self = singleAddress('host', thread)
  const views = nodes.map((node) => ({ node, generation: 1, state: 'up', sequence: 0 }))
  for (const message of [
    { type: 'ring-changed', ring },
    { type: 'nodes-changed', version: 1, nodes: views },
  ]) {
    host.receive({ to: self, from: self, request: 0, deadline: 0, message })
  }
}

function putOf(key, ring, request, level) {
  const hash = hashOf(ring, key)
  const message = {
    type: 'put',
    key,
    hash,
    change: 'value',
    value,
    encoding: 0,
    checksum: crc32(value, hash),
    context: undefined,
    coordinator: 0,
    expires: 0,
    keepExpiry: false,
    condition: 'none',
    returnPrevious: false,
    conflicts: 'last-write-wins',
    n: 3,
    w: 2,
    dw: 0,
    level,
    pw: 0,
    standsInFor: 0,
    looked: false,
    seen: undefined,
    seenUntil: 0,
  }
  const [to, from] = [singleAddress('gateway', 0), singleAddress('client', 0)]
  return { to, from, request, deadline: performance.now() + 5_000, message }
}

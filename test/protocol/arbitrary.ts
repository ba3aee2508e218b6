// Any envelope that may ever be sent, one generator per message. The table is exhaustive by its type: a new
// message without a generator does not compile.

import fc from 'fast-check'
import { type ErrorCode, errorTable } from '../../src/base/errors.js'
import type { Key } from '../../src/base/units.js'
import { type Address, singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import type { Envelope, Message } from '../../src/protocol/envelope.js'
import { createRing } from '../../src/ring/ring.js'
import { generatedHistory, plan } from '../membership/histories.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const small = fc.integer({ min: 0, max: 255 })
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const millis = fc.double({ min: 0, max: 1e15, noNaN: true, noDefaultInfinity: true }).map((x) => x + 0)
const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each))
const binary = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((each) => Buffer.from(each).toString('latin1'))
const key = binary(80) as fc.Arbitrary<Key>
const text = fc.string({ maxLength: 30 })
const level = fc.constantFrom('memory', 'os', 'disk')
const conflicts = fc.constantFrom('siblings', 'last-write-wins')
const code = fc.constantFrom(...(Object.keys(errorTable) as ErrorCode[]))
/** Names of details are words of ours. */
const detail = fc.stringMatching(/^[a-z]{1,12}$/)
const details = fc.dictionary(detail, fc.oneof(fc.integer(), text, fc.boolean()), { maxKeys: 4 })
const entry = fc.record({ actor: whole, counter: whole, time: u32 })
const context = fc.record({ stamp: whole, clock: fc.array(entry, { maxLength: 12 }) })
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
const plain = (record: unknown) => Object.assign({}, record)

const sibling = fc.record({
  dot: fc.record({ actor: whole, counter: whole }),
  stamp: whole,
  expires: millis,
  deleted: fc.boolean(),
  encoding: small,
  value: bytes,
})
const object = fc.record({
  clock: fc.array(entry, { maxLength: 3 }),
  siblings: fc.array(sibling, { maxLength: 3 }),
})
const next = optional(binary(20))

const ring = fc.integer({ min: 1, max: 8 }).map((nodes) =>
  createRing({
    epoch: nodes,
    partitions: 16,
    copies: 1,
    nodes: Array.from({ length: nodes }, (_, index) => index + 1),
    hash: 'halfsip',
    seed: [nodes, 7],
  }),
)

const failed = <T extends string>(type: T) => fc.record({ type: fc.constant(type), code, details })
const bare = <T extends string>(type: T) => fc.record({ type: fc.constant(type) })
const ofNode = <T extends string>(type: T) => fc.record({ type: fc.constant(type), node: small })

const numbers = fc.array(u32, { maxLength: 8 })
const listing = {
  keys: fc.array(key, { maxLength: 4 }),
  copies: numbers,
  signatures: numbers,
  damaged: numbers,
  next,
}
const transfer = { partition: small, place: small, objects: u32, bytes: whole }
const report = fc.record({
  messages: u32,
  listed: u32,
  differing: u32,
  pulled: u32,
  pushed: u32,
  bytes: whole,
  damaged: u32,
  unread: u32,
  corrected: u32,
  keys: fc.array(key, { maxLength: 3 }),
})

type Generators = { readonly [T in Message['type']]: fc.Arbitrary<{ readonly type: T }> }

export const generators: Generators = {
  put: fc
    .record({
      type: fc.constant('put'),
      key,
      hash: u32,
      change: fc.constantFrom('value', 'delete', 'touch'),
      value: bytes,
      encoding: small,
      checksum: u32,
      context: optional(context),
      coordinator: small,
      expires: millis,
      keepExpiry: fc.boolean(),
      condition: fc.constantFrom('none', 'absent', 'present'),
      returnPrevious: fc.boolean(),
      conflicts,
      n: small,
      w: small,
      dw: small,
      level,
      pw: small,
      standsInFor: small,
      looked: fc.boolean(),
      seen: optional(bytes),
      until: millis,
      epoch: small,
    })
    .map(({ until, epoch, ...put }) => ({
      ...put,
      ...(put.looked && { epoch }),
      seenUntil: put.seen === undefined ? 0 : until,
    })),
  'put-answered': fc.record({
    type: fc.constant('put-answered'),
    context,
    stored: small,
    durable: small,
    level,
    existed: fc.boolean(),
    previous: optional(bytes),
  }),
  'put-failed': failed('put-failed'),
  replicate: fc.record({ type: fc.constant('replicate'), key, hash: u32, object: bytes, level }),
  replicated: fc.record({ type: fc.constant('replicated'), level }),
  'replicate-failed': fc.record({ type: fc.constant('replicate-failed'), code }),
  'put-sweep-due': bare('put-sweep-due'),
  get: fc.record({ type: fc.constant('get'), key, hash: u32, conflicts, n: small, r: small, pr: small }),
  'get-answered': fc.record({ type: fc.constant('get-answered'), object: optional(object), fastest: small }),
  'get-failed': failed('get-failed'),
  fetch: fc.record({ type: fc.constant('fetch'), key, hash: u32 }),
  fetched: fc.record({ type: fc.constant('fetched'), object: optional(bytes), complete: fc.boolean() }),
  'fetch-failed': fc.record({ type: fc.constant('fetch-failed'), code }),
  'request-sweep-due': bare('request-sweep-due'),
  scan: fc.record({
    type: fc.constant('scan'),
    partition: small,
    prefix: binary(10),
    after: binary(10),
    limit: u32,
    begunAt: millis,
    conflicts,
    n: small,
    r: small,
  }),
  'scan-answered': fc.record({
    type: fc.constant('scan-answered'),
    rows: fc.array(fc.record({ key, object }), { maxLength: 3 }),
    next,
  }),
  'scan-failed': failed('scan-failed'),
  walk: fc.record({
    type: fc.constant('walk'),
    prefix: binary(10),
    after: binary(10),
    limit: u32,
    begunAt: millis,
    since: whole,
  }),
  walked: fc.record({
    type: fc.constant('walked'),
    rows: fc.array(fc.record({ key, object: bytes }), { maxLength: 4 }),
    next,
    complete: fc.boolean(),
  }),
  'walk-failed': fc.record({ type: fc.constant('walk-failed'), code }),
  'rows-read': fc.record({
    type: fc.constant('rows-read'),
    rows: fc.array(fc.record({ key, object: bytes }), { maxLength: 4 }),
    next,
    failed: fc.boolean(),
  }),
  'repair-due': bare('repair-due'),
  sync: fc.record({
    type: fc.constant('sync'),
    peer: small,
    mends: fc.boolean(),
    deep: fc.boolean(),
    isRoutine: fc.boolean(),
    copiesMin: small,
  }),
  synced: fc.record({ type: fc.constant('synced'), peer: small, report, failure: optional(code) }),
  'sync-due': bare('sync-due'),
  'sync-failed': fc.record({ type: fc.constant('sync-failed'), code }),
  'sync-push': fc.record({ type: fc.constant('sync-push'), key, hash: u32, high: u32, low: u32 }),
  'tree-ask': fc.record({ type: fc.constant('tree-ask'), copiesMin: small, level: small, parents: numbers }),
  'tree-told': fc.record({
    type: fc.constant('tree-told'),
    level: small,
    parents: numbers,
    hashes: numbers,
  }),
  'list-ask': fc.record({
    type: fc.constant('list-ask'),
    copiesMin: small,
    leaves: numbers,
    after: binary(10),
    deep: fc.boolean(),
  }),
  'list-told': fc.record({ type: fc.constant('list-told'), ...listing }),
  listed: fc.record({ type: fc.constant('listed'), ...listing, failed: fc.boolean() }),
  audit: fc.record({
    type: fc.constant('audit'),
    partition: small,
    n: small,
    mends: fc.boolean(),
    deep: fc.boolean(),
  }),
  'audit-answered': fc.record({ type: fc.constant('audit-answered'), report, missing: numbers }),
  'audit-failed': fc.record({ type: fc.constant('audit-failed'), code }),
  'mend-due': bare('mend-due'),
  receive: fc.record({ type: fc.constant('receive'), place: small, giver: small }),
  received: fc.record({ type: fc.constant('received'), ...transfer }),
  'receive-failed': fc.record({
    type: fc.constant('receive-failed'),
    partition: small,
    place: small,
    code,
  }),
  receiving: fc.record({ type: fc.constant('receiving'), ...transfer }),
  give: fc.record({ type: fc.constant('give'), place: small }),
  giving: bare('giving'),
  take: bare('take'),
  taken: bare('taken'),
  'take-refused': bare('take-refused'),
  release: fc.record({ type: fc.constant('release'), copies: small }),
  'begin-change': fc.record({ type: fc.constant('begin-change'), owners: numbers, copies: small }),
  'keep-ring': fc.record({ type: fc.constant('keep-ring'), ring: ring.map(plain) }),
  'ring-kept': fc.record({ type: fc.constant('ring-kept'), epoch: u32 }),
  'claim-due': bare('claim-due'),
  'relay-due': bare('relay-due'),
  cede: fc.record({ type: fc.constant('cede'), epoch: small, by: small, hops: small }),
  ceded: bare('ceded'),
  'cede-due': bare('cede-due'),
  'receive-due': bare('receive-due'),
  'mend-wanted': fc.record({ type: fc.constant('mend-wanted'), owner: small }),
  keep: fc.record({
    type: fc.constant('keep'),
    owner: small,
    key,
    hash: u32,
    object: bytes,
    level,
    needed: fc.boolean(),
  }),
  'fetch-kept': fc.record({ type: fc.constant('fetch-kept'), owner: small, key, hash: u32 }),
  kept: fc.record({ type: fc.constant('kept'), owner: small, object: optional(bytes) }),
  'hints-due': bare('hints-due'),
  'pause-hints': fc.record({ type: fc.constant('pause-hints'), owner: small, paused: fc.boolean() }),
  'drop-hints': fc.record({ type: fc.constant('drop-hints'), owner: small }),
  gossip: fc.record({ type: fc.constant('gossip'), digest: text, count: u32 }),
  'gossip-history': fc.record({ type: fc.constant('gossip-history'), history: generatedHistory }),
  'gossip-due': bare('gossip-due'),
  'change-membership': fc.record({ type: fc.constant('change-membership'), changes: plan }),
  'membership-changed': fc.record({ type: fc.constant('membership-changed'), epoch: u32 }),
  'membership-refused': failed('membership-refused'),
  'membership-news': fc.record({
    type: fc.constant('membership-news'),
    version: u32,
    history: generatedHistory,
  }),
  'membership-kept': fc.record({ type: fc.constant('membership-kept'), version: u32 }),
  'node-removed': fc.record({ type: fc.constant('node-removed'), node: small }),
  'give-back': bare('give-back'),
  'reap-due': bare('reap-due'),
  'reap-ask': fc.record({
    type: fc.constant('reap-ask'),
    key,
    hash: u32,
    high: u32,
    low: u32,
    stamp: whole,
    epoch: u32,
  }),
  'reap-told': fc.record({
    type: fc.constant('reap-told'),
    verdict: fc.constantFrom('held', 'absent', 'other'),
  }),
  reap: fc.record({ type: fc.constant('reap'), key, hash: u32, high: u32, low: u32 }),
  'hints-ask': bare('hints-ask'),
  'hints-told': fc.record({ type: fc.constant('hints-told'), none: fc.boolean() }),
  probe: bare('probe'),
  probed: bare('probed'),
  'nodes-changed': fc.record({
    type: fc.constant('nodes-changed'),
    version: u32,
    nodes: fc.array(
      fc.record({ node: small, state: fc.constantFrom('up', 'slow', 'down', 'failed'), generation: u32 }),
      { maxLength: 6 },
    ),
  }),
  'ring-changed': fc.record({ type: fc.constant('ring-changed'), ring: ring.map(plain) }),
  spawn: ofNode('spawn'),
  'node-ready': fc.record({ type: fc.constant('node-ready'), node: small, generation: u32 }),
  'node-exited': fc.record({
    type: fc.constant('node-exited'),
    node: small,
    generation: u32,
    reason: text,
    failure: fc.boolean(),
  }),
  'node-slow': fc.record({ type: fc.constant('node-slow'), node: small, silentMs: millis }),
  'node-brisk': ofNode('node-brisk'),
  'restart-due': ofNode('restart-due'),
  'give-up': ofNode('give-up'),
}

export const messageTypes = Object.keys(generators) as Message['type'][]

const singles = ['gateway', 'supervisor', 'machine', 'client', 'host', 'courier', 'gossip'] as const

const address: fc.Arbitrary<Address> = fc.oneof(
  fc
    .tuple(small, fc.integer({ min: 0, max: 0xffff }))
    .map(([node, partition]) => vnodeAddress(node, partition)),
  fc.tuple(fc.constantFrom(...singles), small).map(([kind, node]) => singleAddress(kind, node)),
)

export function envelopeOf(type: Message['type']): fc.Arbitrary<Envelope> {
  const message = generators[type] as unknown as fc.Arbitrary<Message>
  return fc.record({
    to: address,
    from: address,
    request: u32,
    deadline: millis,
    message,
  }) as fc.Arbitrary<Envelope>
}

export const anyEnvelope: fc.Arbitrary<Envelope> = fc.constantFrom(...messageTypes).chain(envelopeOf)

// A last-write-wins put that no coordinator leads (Dynamo 6.4): all n replicas have it from the gateway, at once, and
// whatever goes wrong before the answer is made good by a coordinator, and after it by a hint. What was refused has
// left no trace, and what was acknowledged is not lost to what came before it.

import { describe, expect, it } from 'vitest'
import { errorTable } from '../../src/base/errors.js'
import { seededRandom } from '../../src/base/random.js'
import type { NodeId } from '../../src/base/units.js'
import type { PutAnswered, PutFailed } from '../../src/protocol/write.js'
import { textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import type { Store } from '../../src/storage/store.js'
import {
  copyAt,
  drainHints,
  expectNoTrace,
  fetchFrom,
  hintsOf,
  keyLedBy,
  mustGet,
  mustPut,
  nodeOf,
  preference,
  put,
  separate,
  setNetwork,
  settle,
  startWorld,
  values,
  valuesAtEach,
} from '../sim/helpers.js'

const latest = { conflicts: 'last-write-wins' } as const

/** How many puts the vnodes are given from now on. */
function ledPuts(world: World): () => number {
  const hosts = [...world.nodes.values()].map(({ host }) => host)
  const count = () => hosts.reduce((sum, host) => sum + (host?.counters.puts ?? 0), 0)
  const before = count()
  return () => count() - before
}

function outcomeOf(answer: PutAnswered | PutFailed): string {
  return answer.type === 'put-failed' ? errorTable[answer.code].outcome : 'ok'
}

/** The object buffers of these nodes are full of what is not flushed; until it is undone. */
function refuseAt(world: World, nodes: readonly NodeId[], dirty = 1e12): () => void {
  const undo = nodes.map((node) => {
    const memory = nodeOf(world, node).storage?.memory as object
    Object.defineProperty(memory, 'dirtyBytes', { value: dirty, configurable: true })
    return () => Reflect.deleteProperty(memory, 'dirtyBytes')
  })
  return () => {
    for (const each of undo) each()
  }
}

describe('all is well', () => {
  it('no coordinator is asked, all replicas have the same bytes, and the answer comes after w', () => {
    const world = startWorld({ seed: 1, nodes: 5 })
    const key = keyLedBy(world, 1)
    const led = ledPuts(world)
    const [, , third] = preference(world, key) as [NodeId, NodeId, NodeId]
    expect(mustPut(world, key, 'v', { ...latest, dw: 1 })).toMatchObject({ durable: 1, existed: false })
    world.network.clog(0, third, 50)
    const begun = world.now()
    expect(mustPut(world, key, 'w', latest).stored).toBe(2)
    expect(world.now() - begun).toBeLessThan(10)
    world.pass(100)
    const copies = preference(world, key)
      .slice(0, 3)
      .map((node) => fetchFrom(world, node, key))
    expect(copies[0]).toMatchObject({ type: 'fetched' })
    for (const copy of copies) expect(copy).toEqual(copies[0])
    expect(valuesAtEach(world, key)).toEqual([['w'], ['w'], ['w']])
    expect(led()).toBe(0)
  })

  it('says whether there was something live, and its context is good for what follows', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    const led = ledPuts(world)
    const first = mustPut(world, 'k', 'v', { ...latest, w: 3, expires: world.wall() + 1_000 })
    expect(first.existed).toBe(false)
    expect(mustPut(world, 'k', 'w', { ...latest, w: 3, expires: world.wall() + 1_000 }).existed).toBe(true)
    world.pass(2_000)
    const after = mustPut(world, 'k', 'x', { ...latest, w: 3 })
    expect(after.existed).toBe(false)
    world.wallOffset = -3_600_000
    const gone = mustPut(world, 'k', '', {
      ...latest,
      w: 3,
      change: 'delete',
      context: after.context,
      via: 2,
    })
    expect(gone.existed).toBe(true)
    expect(values(world, 'k', latest)).toEqual([])
    expect(mustPut(world, 'k', 'y', { ...latest, w: 3, context: gone.context, via: 3 }).existed).toBe(false)
    expect(values(world, 'k', latest)).toEqual(['y'])
    expect(led()).toBe(0)
  })

  it('goes by a coordinator where two write quorums need not overlap', () => {
    const world = startWorld({ seed: 3, nodes: 3 })
    const led = ledPuts(world)
    mustPut(world, 'k', 'v', { ...latest, w: 1 })
    expect(led()).toBe(1)
  })
})

describe('a replica holds something later', () => {
  it('leads the put itself, and the newer write wins everywhere', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = startWorld({ seed, nodes: 3 })
      const led = ledPuts(world)
      // One alone holds what was stamped by a clock that is set back then.
      const [first, second, third] = preference(world, 'k') as [NodeId, NodeId, NodeId]
      const holder = [first, second, third][seed % 3] as NodeId
      for (const node of [1, 2, 3]) if (node !== holder) world.network.cutLink(0, node)
      world.client.put('k', 'ahead', { ...latest, timeoutMs: 50 })
      world.pass(60)
      world.network.healAll()
      // Neither a hint nor a comparison tells the others: another gateway, which has stamped nothing, writes.
      world.wallOffset = -3_600_000
      const others = [1, 2, 3].filter((node) => node !== holder)
      const via = others[seed % 2] as NodeId
      mustPut(world, 'k', 'new', { ...latest, w: 3, via })
      expect(led(), `seed ${seed}`).toBe(1)
      settle(world)
      expect(valuesAtEach(world, 'k'), `seed ${seed}`).toEqual([['new'], ['new'], ['new']])
    }
  })

  it('a client that begins anew with its clock set back loses nothing to an older write', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = startWorld({ seed, nodes: 3 })
      mustPut(world, 'k', 'before', { ...latest, w: 3, dw: 3 })
      world.pass(5_000)
      world.wallOffset = -3_600_000
      world.crashAndRestart('process', 1)
      world.runUntil(() => [...world.nodes.values()].every(({ host }) => host !== undefined))
      settle(world)
      mustPut(world, 'k', 'after', { ...latest, w: 2 })
      settle(world)
      expect(valuesAtEach(world, 'k')).toEqual([['after'], ['after'], ['after']])
    }
  })
})

describe('a replica does not answer', () => {
  it.each([3, 5])('one dies before it does: a hint is kept, and comes home (%i nodes)', (nodes) => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = startWorld({ seed, nodes })
      const key = keyLedBy(world, 1)
      const [, , third] = preference(world, key) as [NodeId, NodeId, NodeId]
      const led = ledPuts(world)
      world.network.clog(0, third, 20)
      mustPut(world, key, 'v', { ...latest, w: 2 })
      world.kill(third)
      world.pass(10)
      expect(Object.keys(hintsOf(world)).map((each) => each.split('->')[1])).toEqual([`${third}`])
      world.pass(3_000)
      drainHints(world)
      expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
      expect(led()).toBe(0)
    }
  })

  it.each(['killed', 'cut'] as const)('two of three are %s: a coordinator has others stand in', (how) => {
    const world = startWorld({ seed: 4, nodes: 5 })
    const key = keyLedBy(world, 1)
    const [first, second, third] = preference(world, key) as [NodeId, NodeId, NodeId]
    const led = ledPuts(world)
    for (const node of [second, third]) for (const from of [0, first]) separate(world, from, node)
    const request = world.client.put(key, 'v', { ...latest, w: 2, timeoutMs: 30_000 })
    world.pass(1)
    if (how === 'killed') for (const node of [second, third]) world.kill(node)
    world.runUntil(() => request.answer !== undefined)
    expect(request.answer).toMatchObject({ type: 'put-answered', existed: false })
    expect(led()).toBe(1)
    world.network.healAll()
    settle(world, 10_000)
    expect(valuesAtEach(world, key)).toEqual([['v'], ['v'], ['v']])
  })

  it('acknowledgements are lost: nobody knows at the deadline, and all have the same later', () => {
    const world = startWorld({ seed: 5, nodes: 3 })
    for (const node of [1, 2, 3]) world.network.cutLink(node, 0)
    const answer = put(world, 'k', 'v', { ...latest, timeoutMs: 100 })
    expect(answer).toMatchObject({ type: 'put-failed', code: 'deadline', details: { needed: 2, stored: 0 } })
    world.network.healAll()
    settle(world)
    expect(valuesAtEach(world, 'k')).toEqual([['v'], ['v'], ['v']])
  })

  it('of a put without a deadline nothing is remembered for ever', () => {
    const world = startWorld({ seed: 6, nodes: 3 })
    const [, , third] = preference(world, 'k') as [NodeId, NodeId, NodeId]
    world.network.cutLink(0, third)
    const message = { ...(world.client.put('k', 'v', latest).message as object) }
    world.runUntil(() => world.client.unanswered === 0)
    const { gateway } = world['host']
    for (const [, pending] of gateway.pending)
      if (pending.type === 'direct') Object.assign(pending.envelope, { deadline: 0 })
    expect(gateway.pending.size).toBe(1)
    world.network.healAll()
    world.pass(90_000)
    expect(gateway.pending.size).toBe(0)
    expect(message).toMatchObject({ type: 'put' })
  })
})

describe('replicas refuse', () => {
  it('all of them: it is refused, and has left no trace', () => {
    const world = startWorld({ seed: 7, nodes: 3 })
    const restore = refuseAt(world, [1, 2, 3])
    expect(outcomeOf(put(world, 'k', 'v', latest))).toBe('refused')
    restore()
    for (const node of [1, 2, 3]) world.jam(node, 50)
    expect(outcomeOf(put(world, 'k', 'v', latest))).toBe('refused')
    world.pass(100)
    expectNoTrace(world, 'k')
  })

  it('all but one, and every coordinator: it may not be called refused', () => {
    const world = startWorld({ seed: 8, nodes: 3 })
    const [first, second, third] = preference(world, 'k') as [NodeId, NodeId, NodeId]
    refuseAt(world, [first, second])
    // The third has stored it when it is asked to lead, and has no room then.
    world.watch = ({ message, from }) => {
      if (message.type === 'replicated' && from.node === third) refuseAt(world, [third])
    }
    expect(put(world, 'k', 'v', latest)).toMatchObject({ type: 'put-failed', code: 'quorum-lost' })
    expect(textsOf(copyAt(world, third, 'k'))).toEqual(['v'])
  })

  it('what is too large, or changed since it was put, has left no trace', () => {
    const world = startWorld({ seed: 9, nodes: 3 })
    const max = (nodeOf(world, 1).storage?.memory.objectBytesMax ?? 0) as number
    for (const bytes of [max, max + 1, 3 * max])
      expect(put(world, 'k', 'x'.repeat(bytes), latest)).toMatchObject({ code: 'value-too-large' })
    const request = world.client.put('k', 'sent', latest)
    const { value } = request.message as unknown as { value: Buffer }
    value.write('lost')
    world.runUntil(() => request.answer !== undefined)
    expect(request.answer).toMatchObject({ type: 'put-failed', code: 'value-invalid' })
    world.pass(100)
    expectNoTrace(world, 'k')
  })
})

describe('what was there before, of a put that is led in the end', () => {
  it.each(['value', 'delete'] as const)('is not the version of the put itself (%s)', (change) => {
    for (const isThere of [false, true]) {
      const world = startWorld({ seed: 10, nodes: 3 })
      if (isThere) mustPut(world, 'k', 'old', { ...latest, w: 3 })
      const [first, second, third] = preference(world, 'k') as [NodeId, NodeId, NodeId]
      const led = ledPuts(world)
      const restore = refuseAt(world, [second, third])
      world.watch = ({ message, to }) => {
        if (message.type === 'put' && to.node === first) restore()
      }
      expect(mustPut(world, 'k', 'v', { ...latest, change }).existed).toBe(isThere)
      expect(led()).toBe(1)
    }
  })
})

describe.each([1, 2])('dw %i', (dw) => {
  it('with a store that fails at the writer: others write through, or nobody says so', () => {
    const world = startWorld({ seed: 11, nodes: 4, wrapStore: failing })
    const key = keyLedBy(world, 1)
    fails = true
    const answer = put(world, key, 'v', { ...latest, dw })
    expect(fails).toBe(false)
    if (answer.type === 'put-answered') expect(answer.durable).toBeGreaterThanOrEqual(dw)
    else expect(['quorum-lost', 'coordinator-lost', 'deadline']).toContain(answer.code)
    settle(world, 10_000)
    mustPut(world, key, 'w', { ...latest, dw, w: 3 })
    expect(valuesAtEach(world, key)).toEqual([['w'], ['w'], ['w']])
  })
})

/** The store of node 1 fails once, while `fails`. */
let fails = false
function failing(node: NodeId, store: Store): Store {
  const failed = Object.create(store) as Store
  failed.commit = (writes, level, done) => {
    if (!fails || node !== 1) return store.commit(writes, level, done)
    fails = false
    store.read([], () => done(new Error('no room on the disk')))
  }
  return failed
}

it('two gateways that write one key in turn lose nothing, within a millisecond', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = startWorld({ seed, nodes: 3 })
    const random = seededRandom(seed, 77)
    for (let i = 0; i < 30; i++) {
      // One of them stamps much within this millisecond.
      if (random() < 0.3) for (let j = 0; j < 5; j++) world.client.put(`other ${j}`, 'x', latest)
      mustPut(world, 'k', `${i}`, { ...latest, ...(random() < 0.5 && { via: 2 as NodeId }) })
      expect(values(world, 'k', { ...latest, r: 2 }), `seed ${seed}`).toEqual([`${i}`])
    }
    settle(world)
    expect(valuesAtEach(world, 'k')).toEqual([['29'], ['29'], ['29']])
  }
})

it('the node whose gateway sent it dies: nobody knows, and it is the same everywhere later', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = startWorld({ seed, nodes: 5 })
    setNetwork(world, { delayMsMin: 1, delayMsMax: 2 })
    const request = world.client.put('k', 'v', { ...latest, via: 4, timeoutMs: 500 })
    world.pass(1 + (seed % 5))
    world.kill(4)
    world.runUntil(() => request.answer !== undefined || world.now() > request.deadline, 2_000)
    if (request.answer?.type === 'put-failed')
      expect(['coordinator-lost', 'deadline', 'unavailable']).toContain(request.answer.code)
    settle(world, 5_000)
    mustGet(world, 'k', { ...latest, r: 3 })
    world.pass(1_000)
    const [one, ...others] = valuesAtEach(world, 'k')
    for (const other of others) expect(other).toEqual(one)
  }
})

describe('the ring changes under load', () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    'nothing is lost, though a gateway has not heard of it (%i)',
    (seed) => {
      const world = startWorld({ seed, nodes: 4, n: 3, partitions: 8, gossipEveryMs: 1_000 })
      // What is said of the ring comes late, to this gateway or that.
      setNetwork(world, { tail: 0.1, tailMsMax: 60 })
      const missed: string[] = []
      let [reads, stopped] = [0, false]
      const random = seededRandom(seed, 5)
      const via = () => ({ via: [0, 1, 2, 3, 4][Math.floor(random() * 5)] as NodeId })
      const next = (key: string, step: number): void => {
        if (stopped) return
        world.client.put(key, `${step}`, { ...latest, w: 2, ...via() }).heard = (answer) => {
          if (answer.type !== 'put-answered') return world.schedule(10, () => next(key, step + 1))
          world.client.get(key, { ...latest, r: 2, ...via() }).heard = (found) => {
            const [text] = found.type === 'get-answered' ? textsOf(found.object) : [`${step}`]
            reads++
            if (Number(text ?? 0) < step) missed.push(`${key}: ${text}, was written ${step}`)
            world.schedule(10, () => next(key, step + 1))
          }
        }
      }
      for (let i = 0; i < 12; i++) next(`k${i}`, 1)
      world.add(5)
      for (const members of [
        [1, 2, 3, 4, 5],
        [1, 3, 4, 5],
        [1, 2, 3, 4, 5],
      ]) {
        world.network.clog(0, 1 + Math.floor(random() * 4), 300)
        world.change(
          Uint16Array.from(world.ring.owners, (owner) =>
            members.includes(owner) && random() < 0.7
              ? owner
              : (members[Math.floor(random() * members.length)] as NodeId),
          ),
        )
        world.runUntil(() => world.ring.change !== undefined, 10_000)
        expect(world.runUntil(() => world.ring.change === undefined, 60_000)).toBe(true)
        world.pass(200)
      }
      stopped = true
      world.pass(10_000)
      expect(missed).toEqual([])
      expect(reads).toBeGreaterThan(200)
    },
  )
})

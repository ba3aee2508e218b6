// The lives of nodes: a dead node begins again after a wait that grows, one that dies too often is given up,
// a silent one is slow and keeps its place, and everybody that lives is told of every change.

import { describe, expect, it } from 'vitest'
import type { Turn } from '../../src/actors/actor.js'
import { type SupervisorState, supervisorActor } from '../../src/actors/supervisor/supervisor.js'
import { limits } from '../../src/base/limits.js'
import { singleAddress } from '../../src/protocol/address.js'
import type { Envelope, Message, SupervisorMessage } from '../../src/protocol/envelope.js'
import type { NodesChanged } from '../../src/protocol/life.js'

const self = singleAddress('supervisor', 0)

interface Bench {
  readonly tell: (message: SupervisorMessage) => void
  readonly sent: { readonly to: string; readonly message: Message }[]
  readonly timers: { readonly at: number; readonly message: Message }[]
  readonly clock: { now: number }
  /** The states as the last message to all says. */
  readonly view: () => string
}

function bench(): Bench {
  const sent: Bench['sent'] = []
  const timers: Bench['timers'] = []
  const clock = { now: 0 }
  const turn = {
    get now() {
      return clock.now
    },
    random: () => 0.5,
    send: (to: { kind: string; node: number }, message: Message) =>
      void sent.push({ to: `${to.kind} ${to.node}`, message }),
    after: (delay: number, _to: unknown, message: Message) =>
      void timers.push({ at: clock.now + delay, message }),
  } as unknown as Turn
  const state: SupervisorState = supervisorActor.start(self, turn)
  const tell = (message: SupervisorMessage) => {
    const envelope: Envelope<SupervisorMessage> = { to: self, from: self, request: 0, deadline: 0, message }
    supervisorActor.receive(state, envelope, turn)
  }
  const view = () => {
    const last = sent.map(({ message }) => message).findLast((each) => each.type === 'nodes-changed')
    return ((last as NodesChanged | undefined)?.nodes ?? [])
      .map((each) => `${each.node}:${each.state}:${each.generation}`)
      .join(' ')
  }
  return { tell, sent, timers, clock, view }
}

const ready = (node: number, generation = 1) => ({ type: 'node-ready', node, generation }) as const
const exited = (node: number, generation = 1, failure = true) =>
  ({ type: 'node-exited', node, generation, reason: 'test', failure }) as const

describe('the supervisor', () => {
  it('tells itself and every node that lives, and nobody that does not', () => {
    const { tell, sent, view } = bench()
    tell(ready(1))
    tell(ready(2))
    sent.length = 0
    tell(exited(1))
    expect(sent.map(({ to }) => to)).toEqual(['host 0', 'host 2'])
    expect(view()).toBe('1:down:1 2:up:1')
  })

  it('begins a dead node again after a wait that doubles, up to a bound', () => {
    const { tell, sent, timers, clock } = bench()
    const waits: number[] = []
    for (let life = 1; life <= limits.restartsMax; life++) {
      tell(ready(1, life))
      tell(exited(1, life))
      const timer = timers.pop()
      waits.push((timer?.at ?? 0) - clock.now)
      clock.now = timer?.at ?? 0
      sent.length = 0
      tell({ type: 'restart-due', node: 1 })
      expect(sent).toEqual([{ to: 'machine 0', message: { type: 'spawn', node: 1 } }])
    }
    expect(waits.slice(0, 4)).toEqual([15, 30, 60, 120])
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000)
    for (let i = 1; i < waits.length; i++) expect(waits[i]).toBeGreaterThanOrEqual(waits[i - 1] as number)
  })

  it('gives a node up that dies too often in a window, and forgets failures that are older', () => {
    const { tell, timers, clock, view } = bench()
    for (let life = 1; life <= limits.restartsMax + 1; life++) {
      tell(ready(1, life))
      tell(exited(1, life))
    }
    expect(view()).toBe(`1:failed:${limits.restartsMax + 1}`)
    expect(timers).toHaveLength(limits.restartsMax)
    const other = bench()
    for (let life = 1; life <= limits.restartsMax * 3; life++) {
      other.tell(ready(1, life))
      other.tell(exited(1, life))
      other.clock.now += limits.restartWindowMs / 5
    }
    expect(other.view()).toContain('1:down')
    expect(clock.now).toBe(0)
  })

  it('a silent node is slow, never dead: nothing is begun again because of it', () => {
    const { tell, timers, view } = bench()
    tell(ready(1, 3))
    tell({ type: 'node-slow', node: 1, silentMs: 30_000 })
    expect(view()).toBe('1:slow:3')
    expect(timers).toEqual([])
    tell({ type: 'node-brisk', node: 1 })
    expect(view()).toBe('1:up:3')
  })

  it('an end that was wanted begins nothing again', () => {
    const { tell, timers, view } = bench()
    tell(ready(1))
    tell(exited(1, 1, false))
    expect(view()).toBe('1:draining:1')
    expect(timers).toEqual([])
  })

  it('late news of an old kind changes nothing: brisk while down, a timer while up', () => {
    const { tell, sent, view } = bench()
    tell(ready(1))
    tell(exited(1))
    sent.length = 0
    tell({ type: 'node-brisk', node: 1 })
    tell({ type: 'node-slow', node: 1, silentMs: 1 })
    expect(sent).toEqual([])
    tell(ready(1, 2))
    sent.length = 0
    tell({ type: 'restart-due', node: 1 })
    expect(sent).toEqual([])
    tell(ready(2))
    expect(view()).toBe('1:up:2 2:up:1')
  })
})

// What a node that begins a new life concludes from what it finds: a table of every case, and the law that a
// store which is behind any witness is never taken for whole.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Meta } from '../../src/storage/meta.js'
import { assess, type Findings, stampMarginMs } from '../../src/storage/recovery.js'

const flushedTo = 1_700_000_000_000
const recent = (flushedTo - stampMarginMs) * 2048

const meta: Meta = {
  incarnation: 7,
  sequence: 100,
  flushedTo,
  stampFloor: (flushedTo + 60_000) * 2048,
  clean: false,
  owing: undefined,
  peers: [],
}

const dirty: Findings = { newborn: false, meta, highWater: 100, peersSaw: 100, adopted: undefined }

interface Case {
  readonly name: string
  readonly findings: Findings
  readonly since: number | undefined
  readonly amnesia: boolean
}

const whole = { dropped: 0, wasComplete: true }
const damaged = { dropped: 2, wasComplete: true }
const behind = { dropped: 0, wasComplete: false }

const table: readonly Case[] = [
  {
    name: 'a new cluster has nothing to lack',
    findings: { newborn: true, meta: undefined, highWater: undefined, peersSaw: 0, adopted: undefined },
    since: undefined,
    amnesia: false,
  },
  {
    name: 'an empty store lacks everything',
    findings: { ...dirty, meta: undefined },
    since: 0,
    amnesia: true,
  },
  {
    name: 'an empty store of which nobody knows anything lacks everything too',
    findings: { ...dirty, meta: undefined, highWater: undefined, peersSaw: 0 },
    since: 0,
    amnesia: true,
  },
  {
    name: 'a store behind the high-water mark lacks anything',
    findings: { ...dirty, highWater: 101 },
    since: 0,
    amnesia: true,
  },
  {
    name: 'a store behind what a peer remembers lacks anything',
    findings: { ...dirty, highWater: 100, peersSaw: 101 },
    since: 0,
    amnesia: true,
  },
  {
    name: 'also when the high-water mark is gone',
    findings: { ...dirty, highWater: undefined, peersSaw: 101 },
    since: 0,
    amnesia: true,
  },
  {
    name: 'also when it says that it was closed in order',
    findings: { ...dirty, meta: { ...meta, clean: true }, highWater: 101 },
    since: 0,
    amnesia: true,
  },
  {
    name: 'also when memory was taken over whole: what memory had evicted is gone',
    findings: { ...dirty, highWater: 101, adopted: whole },
    since: 0,
    amnesia: true,
  },
  {
    name: 'a store ahead of its witnesses is whole as far as they know',
    findings: { ...dirty, meta: { ...meta, clean: true }, highWater: 90, peersSaw: 80 },
    since: undefined,
    amnesia: false,
  },
  {
    name: 'closed in order: nothing is missing',
    findings: { ...dirty, meta: { ...meta, clean: true } },
    since: undefined,
    amnesia: false,
  },
  {
    name: 'closed in order while still catching up: it still owes that',
    findings: { ...dirty, meta: { ...meta, clean: true, owing: 5_000 } },
    since: 5_000,
    amnesia: false,
  },
  {
    name: 'not closed in order: what was unflushed, and what lay in mailboxes',
    findings: dirty,
    since: recent,
    amnesia: false,
  },
  {
    name: 'not closed in order while catching up with everything: everything',
    findings: { ...dirty, meta: { ...meta, owing: 0 } },
    since: 0,
    amnesia: false,
  },
  {
    name: 'not closed in order while catching up with what is newer than the flush: the flush counts',
    findings: { ...dirty, meta: { ...meta, owing: recent + 1 } },
    since: recent,
    amnesia: false,
  },
  {
    name: 'memory taken over whole: nothing is missing',
    findings: { ...dirty, adopted: whole },
    since: undefined,
    amnesia: false,
  },
  {
    name: 'memory taken over with damaged objects: they were newer than the flush',
    findings: { ...dirty, adopted: damaged },
    since: recent,
    amnesia: false,
  },
  {
    name: 'memory taken over from a life that was catching up: what that one owed',
    findings: { ...dirty, meta: { ...meta, owing: 5_000 }, adopted: behind },
    since: 5_000,
    amnesia: false,
  },
  {
    name: 'memory taken over from a life that was catching up, and no word of what it owed: everything',
    findings: { ...dirty, adopted: behind },
    since: 0,
    amnesia: false,
  },
  {
    name: 'the log was damaged in its middle: everything may be missing, whatever the counts say',
    findings: { ...dirty, damage: 'corruption: bad record' },
    since: 0,
    amnesia: true,
  },
  {
    name: 'nothing was ever flushed: everything may be missing',
    findings: { ...dirty, meta: { ...meta, flushedTo: 0 } },
    since: 0,
    amnesia: false,
  },
]

describe('what a node concludes at its start', () => {
  it.each(table)('$name', ({ findings, since, amnesia }) => {
    const verdict = assess(findings)
    expect({ since: verdict.since, amnesia: verdict.amnesia }).toEqual({ since, amnesia })
    expect(verdict.reason).not.toBe('')
  })

  it('a store that is behind any witness is never taken for whole, whatever else it says', () => {
    const sequence = fc.nat(50)
    const findings = fc.record({
      newborn: fc.constant(false),
      meta: fc.option(
        fc.record({
          incarnation: fc.constant(7),
          sequence,
          flushedTo: fc.nat(10_000_000),
          stampFloor: fc.constant(0),
          clean: fc.boolean(),
          owing: fc.option(fc.nat(1_000), { nil: undefined }),
          peers: fc.constant([]),
        }),
        { nil: undefined },
      ),
      highWater: fc.option(sequence, { nil: undefined }),
      peersSaw: sequence,
      adopted: fc.option(fc.record({ dropped: fc.nat(2), wasComplete: fc.boolean() }), { nil: undefined }),
    })
    fc.assert(
      fc.property(findings, (each) => {
        const { since, amnesia } = assess(each)
        const known = Math.max(each.highWater ?? 0, each.peersSaw)
        const isBehind = each.meta === undefined || each.meta.sequence < known
        expect(amnesia).toBe(isBehind)
        if (isBehind) expect(since).toBe(0)
        if (each.meta?.owing !== undefined && each.adopted?.wasComplete !== true) {
          expect(since).toBeLessThanOrEqual(each.meta.owing)
        }
      }),
    )
  })
})

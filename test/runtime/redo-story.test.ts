// The law of the redo log: whatever is written, deleted and flushed, and however lives end, the next life finds no
// version older than what was promised to survive that end, and what is deleted for good does not come back.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type End, RedoStory } from './redo-story.js'

const names = ['a', 'b', 'c', 'd']
const sizes = [10, 200, 5_000, 20_000]
const memories = [256 * 1024, 96 * 1024, 1024 * 1024]

const name = fc.constantFrom(...names)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('write' as const),
      name,
      size: fc.constantFrom(...sizes),
      level: fc.constantFrom('memory' as const, 'os' as const, 'disk' as const),
      isVolatile: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('persist' as const),
      name,
      level: fc.constantFrom('os' as const, 'disk' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('run' as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(0, 6, 1_100, 11_000) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('settle' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('end' as const),
      kind: fc.constantFrom<End>('thread', 'process', 'power', 'close'),
      memory: fc.constantFrom(...memories),
      jobs: fc.integer({ min: 0, max: 3 }),
      keep: fc.double({ min: 0, max: 0.99, noNaN: true }),
      restarts: fc.constantFrom(0, 0, 1, 2),
    }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

function take(story: RedoStory, step: Step): void {
  if (step.what === 'write') {
    story.write(step.name, step.size, step.level, step.isVolatile && step.level === 'memory')
  } else if (step.what === 'persist') story.persist(step.name, step.level)
  else if (step.what === 'remove') story.remove(step.name)
  else if (step.what === 'run') story.run(step.count)
  else if (step.what === 'pass') story.pass(step.ms)
  else if (step.what === 'flush') story.flush()
  else if (step.what === 'settle') story.settle()
  else story.end(step.kind, step.memory, step.jobs, step.keep, step.restarts)
}

describe('whatever happens', () => {
  it('no life begins with less than what was promised, or with what had gone', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
        const story = new RedoStory(memories[0] as number)
        for (const each of steps) {
          take(story, each)
          story.check()
          story.checkStore()
        }
        story.end('process', memories[0] as number, 99)
        story.write('a', 10, 'os')
        story.settle()
        story.check()
        expect(story.logRows).toEqual([])
      }),
      { numRuns: Number(process.env['RINGSPUN_REDO_RUNS'] ?? 400), seed: 7 },
    )
  })
})

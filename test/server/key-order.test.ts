// The order of commands by key, against a slow and obvious version: a command may run when no earlier one
// that is not finished shares a key with it, unless both only read.
// Finishing goes in any order, as answers of a cluster do.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyOrder, type Lane, type Ticket } from '../../src/server/key-order.js'

class TestTicket implements Ticket<TestTicket> {
  blockedOn = 0
  lane: Lane<TestTicket> | undefined
  moreLanes: Lane<TestTicket>[] | undefined
  readonly keys: readonly string[]
  readonly write: boolean
  constructor(keys: readonly string[], write: boolean) {
    this.keys = keys
    this.write = write
  }
}

const command = fc.record({
  keys: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 }),
  write: fc.boolean(),
})

test('what may run is what the obvious version says, after every step, and all run in the end', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (commands, choices) => {
      const order = new KeyOrder<TestTicket>()
      const open: TestTicket[] = []
      const running = new Set<TestTicket>()
      const free = (ticket: TestTicket): boolean =>
        open
          .slice(0, open.indexOf(ticket))
          .every(
            (other) => !(other.write || ticket.write) || !other.keys.some((key) => ticket.keys.includes(key)),
          )
      const finishOne = (): void => {
        const list = [...running]
        const ticket = list[(choices.next().value as number) % list.length] as TestTicket
        const ready: TestTicket[] = []
        order.leave(ticket, ready)
        running.delete(ticket)
        open.splice(open.indexOf(ticket), 1)
        for (const next of ready) running.add(next)
        expect(new Set(open.filter(free))).toEqual(running)
      }
      for (const { keys, write } of commands) {
        const ticket = new TestTicket(keys, write)
        open.push(ticket)
        for (const key of keys) order.enter(ticket, key)
        expect(ticket.blockedOn === 0).toBe(free(ticket))
        if (ticket.blockedOn === 0) running.add(ticket)
        if ((choices.next().value as number) % 3 === 0) finishOne()
      }
      while (open.length > 0) finishOne()
      expect(order.size).toBe(0)
    }),
    { numRuns: 500 },
  )
})

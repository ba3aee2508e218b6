// The requests of one connection that are not answered yet, in the order in which they came: a linked queue
// of slots. Slots are used again, with the two functions that settle them, so that a request in a long
// pipeline costs no closure.
//
// Invariant: a slot is given back only after it is done, and nothing settles it a second time.

import type { Command } from './commands/command.js'
import type { Lane, Ticket } from './key-order.js'
import type { Reply } from './resp/reply.js'

export class Slot implements Ticket<Slot> {
  next: Slot | undefined
  args: readonly Buffer[] = []
  command: Command | undefined
  requestBytes = 0
  reply: Reply = null
  replyBytes = 0
  started = false
  done = false
  /** The client wants no reply (CLIENT REPLY). */
  silent = false
  write = false
  blockedOn = 0
  lane: Lane<Slot> | undefined
  moreLanes: Lane<Slot>[] | undefined
  readonly resolve: (reply: Reply) => void
  readonly reject: (failure: unknown) => void

  constructor(resolve: (slot: Slot, reply: Reply) => void, reject: (slot: Slot, failure: unknown) => void) {
    this.resolve = (reply) => resolve(this, reply)
    this.reject = (failure) => reject(this, failure)
  }
}

/** Idle slots that are kept. */
const spareSlotsMax = 256
const noArguments: readonly Buffer[] = []

export class SlotQueue {
  head: Slot | undefined
  private tail: Slot | undefined
  length = 0
  /** Slots that may run now; shared so that settling one needs no list of its own. */
  readonly ready: Slot[] = []
  private spare: Slot | undefined
  private spareCount = 0
  private readonly resolve: (slot: Slot, reply: Reply) => void
  private readonly reject: (slot: Slot, failure: unknown) => void

  constructor(resolve: (slot: Slot, reply: Reply) => void, reject: (slot: Slot, failure: unknown) => void) {
    this.resolve = resolve
    this.reject = reject
  }

  push(args: readonly Buffer[], requestBytes: number): Slot {
    let slot = this.spare
    if (slot === undefined) slot = new Slot(this.resolve, this.reject)
    else {
      this.spare = slot.next
      this.spareCount--
      slot.next = undefined
    }
    slot.args = args
    slot.requestBytes = requestBytes
    if (this.tail === undefined) this.head = slot
    else this.tail.next = slot
    this.tail = slot
    this.length++
    return slot
  }

  /** Takes the head away and keeps it for another request. */
  shift(): void {
    const slot = this.head
    if (slot === undefined) return
    this.head = slot.next
    if (this.head === undefined) this.tail = undefined
    this.length--
    slot.next = undefined
    if (this.spareCount >= spareSlotsMax) return
    slot.args = noArguments
    slot.command = undefined
    slot.reply = null
    slot.started = false
    slot.done = false
    slot.silent = false
    slot.write = false
    slot.blockedOn = 0
    slot.next = this.spare
    this.spare = slot
    this.spareCount++
  }
}

// Keeps commands that touch the same key in the order in which their connection sent them, while all others
// run beside each other: a GET behind a SET of the same key sees it, and a pipeline of ten thousand different
// keys is still one wave. One lane per key that is in use; reads share a lane, a write has it for itself.
//
// Invariant: a ticket enters all its lanes before the next ticket enters any, so waiting goes strictly from
// later to earlier tickets and cannot form a circle.

export interface Lane<T> {
  key: string
  readers: number
  writing: boolean
  readonly waiting: T[]
  /** Who entered last: a command that names a key twice enters once. */
  last: T | undefined
}

export interface Ticket<Self> {
  write: boolean
  /** Lanes in which it waits. It may run at 0. */
  blockedOn: number
  /** Lanes that it is in: the first, and the others of a command with several keys. */
  lane: Lane<Self> | undefined
  moreLanes: Lane<Self>[] | undefined
}

const spareLanesMax = 1024

export class KeyOrder<T extends Ticket<T>> {
  private readonly lanes = new Map<string, Lane<T>>()
  private readonly spare: Lane<T>[] = []

  /** Keys in use. */
  get size(): number {
    return this.lanes.size
  }

  /** Call once per key, all in one go; afterwards the ticket may run if `blockedOn` is 0. */
  enter(ticket: T, key: string): void {
    let lane = this.lanes.get(key)
    if (lane === undefined) {
      lane = this.spare.pop() ?? { key, readers: 0, writing: false, waiting: [], last: undefined }
      lane.key = key
      this.lanes.set(key, lane)
    } else if (lane.last === ticket) return
    lane.last = ticket
    if (ticket.lane === undefined) ticket.lane = lane
    else if (ticket.moreLanes === undefined) ticket.moreLanes = [lane]
    else ticket.moreLanes.push(lane)
    if (lane.writing || lane.waiting.length > 0 || (ticket.write && lane.readers > 0)) {
      lane.waiting.push(ticket)
      ticket.blockedOn++
    } else if (ticket.write) lane.writing = true
    else lane.readers++
  }

  /** Leaves all lanes; the tickets that may run now are put into `ready`. */
  leave(ticket: T, ready: T[]): void {
    const lane = ticket.lane
    if (lane === undefined) return
    this.leaveLane(ticket, lane, ready)
    ticket.lane = undefined
    const more = ticket.moreLanes
    if (more === undefined) return
    for (const other of more) this.leaveLane(ticket, other, ready)
    ticket.moreLanes = undefined
  }

  private leaveLane(ticket: T, lane: Lane<T>, ready: T[]): void {
    if (ticket.write) lane.writing = false
    else lane.readers--
    if (lane.last === ticket) lane.last = undefined
    const waiting = lane.waiting
    while (waiting.length > 0) {
      const next = waiting[0] as T
      if (lane.writing || (next.write && lane.readers > 0)) return
      waiting.shift()
      if (next.write) lane.writing = true
      else lane.readers++
      if (--next.blockedOn === 0) ready.push(next)
    }
    if (lane.readers > 0 || lane.writing) return
    this.lanes.delete(lane.key)
    if (this.spare.length < spareLanesMax) {
      lane.key = ''
      lane.last = undefined
      this.spare.push(lane)
    }
  }
}

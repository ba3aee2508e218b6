// Envelopes between threads: encoded into the mailbox of the pair, published once per turn, and the bell of
// the other thread rung once if it sleeps. Requests are refused when a mailbox is full; answers never are,
// since their number is bounded by the requests that were admitted.

import { Malformed, Writer } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type { NodeId } from '../../base/units.js'
import { Acknowledgements, decodeMessage } from '../../protocol/acknowledgements.js'
import { encodeEnvelope, toNodeAt } from '../../protocol/codec.js'
import { type Envelope, refusalOf } from '../../protocol/envelope.js'
import { MailboxReader, MailboxWriter } from '../mailbox.js'
import type { Posted } from '../ports.js'
import { StatusTable } from '../status-table.js'
import { ring } from './doorbell.js'
import { Links } from './links.js'
import { type SharedState, type Wire, wireBetween } from './shared.js'

function isNews({ message }: Envelope): boolean {
  return message.type === 'nodes-changed' || message.type === 'ring-changed'
}

/** Bytes that one turn takes from one mailbox. */
const gatherBytes = 1024 * 1024

export class Transport {
  readonly status: StatusTable
  private readonly generation: number
  private readonly bells: SharedArrayBuffer
  private readonly writers: (MailboxWriter | undefined)[] = []
  private readonly readers: (MailboxReader | undefined)[] = []
  /** Of this turn. */
  private readonly acknowledgements: Acknowledgements[] = []
  private readonly peers: NodeId[] = []
  private readonly thread: NodeId
  private readonly links: Links
  private readonly messageBytesMax: number
  private readonly scratch = new Writer(64 * 1024)
  /** What `scratch` holds. */
  private last: Envelope | undefined
  /** Messages that could not be read; a broken peer, counted and dropped. */
  damaged = 0

  constructor(shared: SharedState, thread: NodeId, generation: number, messageBytesMax: number) {
    this.generation = generation
    this.thread = thread
    this.links = new Links(shared.links)
    this.status = new StatusTable(shared.status)
    this.bells = shared.bells
    this.messageBytesMax = messageBytesMax
    for (let other = 0; other < shared.mailboxes.length; other++) {
      const wire = wireBetween(shared, thread, other)
      if (wire !== undefined) this.connect(wire)
    }
  }

  /** A thread that was not there before. One that is known already is left as it is. */
  connect({ other, out, into }: Wire): void {
    if (this.writers[other] !== undefined) return
    this.peers.push(other)
    this.writers[other] = new MailboxWriter(out, limits.outboxBytesMax)
    this.readers[other] = new MailboxReader(into, this.messageBytesMax)
    this.acknowledgements[other] = new Acknowledgements()
  }

  post(envelope: Envelope): Posted {
    const to = envelope.to.node
    const writer = this.writers[to]
    const generation = this.status.generation(to)
    if (writer === undefined || !this.status.isAlive(to, generation)) return 'dead'
    if (this.links.isCut(this.thread, to) && !isNews(envelope)) return 'sent'
    if (Acknowledgements.takes(envelope)) {
      const all = this.acknowledgements[to] as Acknowledgements
      // Between two lives of the other end.
      if (all.count > 0 && all.generation !== generation) this.acknowledge(writer, all)
      all.generation = generation
      all.add(envelope)
      return 'sent'
    }
    const scratch = this.encoded(envelope)
    if (writer.push(this.generation, generation, scratch.bytes, 0, scratch.length) !== 'full') return 'sent'
    if (refusalOf(envelope.message, 'overloaded') !== undefined) return 'full'
    writer.pushAlways(this.generation, generation, scratch.bytes, 0, scratch.length)
    return 'sent'
  }

  /** In bytes. What goes to several nodes one after the other differs in one of them. */
  private encoded(envelope: Envelope): Writer {
    const { scratch, last } = this
    const { message, request, deadline, from, to } = envelope
    const isSame =
      last !== undefined &&
      last.message === message &&
      last.request === request &&
      last.deadline === deadline &&
      last.from === from &&
      last.to.kind === to.kind &&
      last.to.partition === to.partition
    if (isSame) scratch.bytes[toNodeAt] = to.node
    else {
      scratch.reset()
      encodeEnvelope(scratch, envelope)
      this.last = envelope
    }
    return scratch
  }

  private acknowledge(writer: MailboxWriter, all: Acknowledgements): void {
    const bytes = all.take()
    writer.pushAlways(this.generation, all.generation, bytes, 0, bytes.length)
  }

  /** Takes in what the mailboxes hold, a bounded part of each. */
  gather(receive: (envelope: Envelope) => void): void {
    for (const peer of this.peers) {
      const reader = this.readers[peer] as MailboxReader
      if (reader.isEmpty()) continue
      const generation = this.status.generation(peer)
      // The fence: a life that was declared dead is heard no more, whatever it still managed to write.
      const heard = this.status.isAlive(peer, generation) ? generation : -1
      reader.drain(limits.turnMessagesMax, gatherBytes, this.generation, heard, (bytes, start, end) => {
        try {
          decodeMessage(bytes, start, end, receive)
        } catch (error) {
          if (!(error instanceof Malformed)) throw error
          this.damaged++
        }
      })
    }
  }

  /** Makes visible what was posted and wakes who sleeps; true when something still waits for room. */
  publish(): boolean {
    let backlog = false
    for (const peer of this.peers) {
      const writer = this.writers[peer] as MailboxWriter
      const all = this.acknowledgements[peer] as Acknowledgements
      if (all.count > 0) this.acknowledge(writer, all)
      if (writer.queuedFrames > 0) {
        if (!this.status.isAlive(peer, this.status.generation(peer))) writer.dropQueued()
        else if (!writer.flush()) backlog = true
      }
      if (writer.publish()) ring(this.bells, peer)
    }
    return backlog
  }

  isEmpty(): boolean {
    for (const peer of this.peers) if (!(this.readers[peer] as MailboxReader).isEmpty()) return false
    return true
  }
}

// The acknowledgements that one thread has for another at the end of a turn, as one message: a third of the messages
// of a put are `replicated`, and each alone would cost more to carry than to understand. Seven bytes for each:
//
//   u8 7, u8 to.node, u8 from.node, then for each u16 from.partition, u32 request, u8 level and to whom: the
//   gateway, or the vnode of the same partition
//
// Invariant: who receives cannot tell them from acknowledgements that came one by one, after everything else that
// was sent in the same turn. All of one message are for one life.

import { Reader, Writer } from '../base/bytes.js'
import { singleAddress, vnodeAddress } from './address.js'
import { decodeEnvelope } from './codec.js'
import { type Envelope, Letter, type Message } from './envelope.js'
import { flagsOfReplicated, replicatedOf } from './replicated.js'
import type { Replicated } from './write.js'

/** Beside the codes of protocol/codec. */
const code = 7
/** Beside the level and what else the message says. */
const toGateway = 0x80

export class Acknowledgements {
  private readonly writer = new Writer(1024)
  count = 0
  /** The life that they are for. */
  generation = 0

  /** False for any other message: it goes by itself. */
  static takes({ message, to, from, deadline }: Envelope): boolean {
    if (message.type !== 'replicated' || deadline !== 0) return false
    if (from.kind !== 'vnode') return false
    return to.kind === 'gateway' || (to.kind === 'vnode' && to.partition === from.partition)
  }

  add({ message, to, from, request }: Envelope): void {
    const { writer } = this
    if (this.count++ === 0) {
      writer.reset()
      writer.u8(code)
      writer.u8(to.node)
      writer.u8(from.node)
    }
    writer.u16(from.partition)
    writer.u32(request)
    writer.u8(flagsOfReplicated(message as Replicated) | (to.kind === 'gateway' ? toGateway : 0))
  }

  /** All that was added, good until the next is. */
  take(): Uint8Array {
    this.count = 0
    return this.writer.bytes.subarray(0, this.writer.length)
  }
}

/** Reads what came as one message: an envelope, or acknowledgements. */
export function decodeMessage(
  bytes: Buffer,
  start: number,
  end: number,
  receive: (envelope: Envelope) => void,
): void {
  if (bytes[start] !== code) return receive(decodeEnvelope(bytes, start, end))
  const reader = new Reader(bytes, start + 1, end)
  const here = reader.u8()
  const there = reader.u8()
  while (reader.rest > 0) {
    const partition = reader.u16()
    const request = reader.u32()
    const flags = reader.u8()
    const message = replicatedOf(flags & ~toGateway)
    const to = (flags & toGateway) !== 0 ? singleAddress('gateway', here) : vnodeAddress(here, partition)
    receive(new Letter<Message>(to, vnodeAddress(there, partition), request, 0, message))
  }
}

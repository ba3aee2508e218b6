// How a thread finds the one that has a cluster open, with nothing but a number and a name: it sends it one end of a
// channel of its own. The channel closes when either thread ends, however it ends, so each learns of the other's
// death without a heartbeat.
//
// One listener a thread, for all clusters that it has open and ever had: who asks for one that is gone is told so
// at once, and does not wait.

import type { MessagePort } from 'node:worker_threads'
// Not by name: Node 22.0 to 22.4 lacks one of them, and would refuse to load the whole library.
import * as workers from 'node:worker_threads'
import { RingspunError } from '../../base/errors.js'
import type { Millis } from '../../base/units.js'

export type { MessagePort }

const mark = 'ringspun-rendezvous'
/** The other thread may be in the middle of something; a call that it never answers ends by this. */
const callMsMax: Millis = 10_000

/** Somebody on another thread would speak to what is offered here under the name that was called. */
export type Greet = (port: MessagePort, greeting: unknown) => void

interface Call {
  readonly mark: typeof mark
  readonly name: string
  readonly greeting: unknown
  readonly port: MessagePort
}

const offers = new Map<string, Greet>()
let isListening = false

/** The number by which other threads reach this one. */
export const ownThreadId: number = workers.threadId

/** From now on whoever calls this name on this thread is greeted. Returns the end of it. */
export function offer(name: string, greet: Greet): () => void {
  offers.set(name, greet)
  if (!isListening) {
    isListening = true
    process.on('workerMessage', (value: unknown) => {
      if (typeof value !== 'object' || value === null || (value as Call).mark !== mark) return
      const { port, greeting, name: wanted } = value as Call
      const known = offers.get(wanted)
      // Closed at once: nobody is here.
      if (known === undefined) port.close()
      else known(port, greeting)
    })
  }
  return () => offers.delete(name)
}

/** Calls a name on another thread: the end of the channel to it. Refused with `closed` when nobody is there. */
export async function call(thread: number, name: string, greeting: unknown): Promise<MessagePort> {
  if (typeof workers.postMessageToThread !== 'function') {
    throw new RingspunError(
      'handle-invalid',
      `threads cannot find each other on Node ${process.version}: use 20.19 or 22.5`,
    )
  }
  const { port1, port2 } = new workers.MessageChannel()
  // Node waits for the answer in a way that keeps no event loop alive: a thread that has nothing else yet would end.
  const alive = setInterval(() => {}, callMsMax)
  try {
    const message = { mark, name, greeting, port: port2 } satisfies Call
    await workers.postMessageToThread(thread, message, [port2], callMsMax)
    return port1
  } catch (error) {
    port1.close()
    throw new RingspunError('closed', 'the thread that had the cluster open does not answer', {}, error)
  } finally {
    clearInterval(alive)
  }
}

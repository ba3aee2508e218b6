// The control face of a node, over Comlink: start, drain, halt, and what tests need to hurt it. Never data:
// a call costs about 40 microseconds. Three things Comlink does not do by itself are done here: a call to a
// thread that died never settles, so each has a deadline and is rejected at its exit; errors lose their class
// and code, so ours get a transfer handler; a proxy that is collected drops its calls, so the owner keeps it.

import type { MessagePort } from 'node:worker_threads'
import { type Endpoint, expose, type Remote, transferHandlers, wrap } from 'comlink'
import { type ErrorDetails, isErrorCode, RingspunError } from '../../base/errors.js'
import type { Millis, NodeId } from '../../base/units.js'
import type { Meta } from '../../storage/meta.js'
import type { KeptHints } from '../cast.js'
import type { Wire } from './shared.js'

/** What a node found when it opened its store; see storage/recovery. */
export interface OpenReport {
  readonly threadId: number
  readonly meta: Meta | undefined
  readonly highWater: number | undefined
}

export interface BeginReport {
  readonly complete: boolean
  readonly amnesia: boolean
  readonly reason: string
}

export interface NodeControl {
  /** Opens the store and says what is in it. */
  open(): Promise<OpenReport>
  /** Takes up work. `peersSaw`: the last batch that the others have seen of this node. */
  begin(peersSaw: number): Promise<BeginReport>
  /** Flushes, fsyncs, closes the store: an orderly end. The thread ends after it. */
  drain(): Promise<void>
  /** A thread that is new: from here on it can be spoken to. */
  connect(wire: Wire): Promise<void>
  /** What the node keeps for others. */
  hints(): Promise<readonly KeptHints[]>
  /** Holds hints for a node back, lets them go, or gives them up. */
  operateHints(owner: NodeId, what: 'pause' | 'resume' | 'drop'): Promise<void>
  /** For tests and `cluster.faults`: blocks the event loop for a while. */
  stall(ms: Millis): Promise<void>
  /** For tests: throws where nobody catches. */
  crash(): Promise<void>
  /** The heap is filled until there is no room: the thread ends. For tests. */
  exhaust(): Promise<void>
}

interface ErrorWire {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: string | undefined
  readonly details: ErrorDetails
}

const comlinkThrow = transferHandlers.get('throw')

transferHandlers.set('throw', {
  canHandle: (value): value is { value: unknown } => comlinkThrow?.canHandle(value) ?? false,
  serialize: (thrown: { value: unknown }) => {
    const error = thrown.value instanceof Error ? thrown.value : new Error(String(thrown.value))
    const wire: ErrorWire = {
      name: error.name,
      message: error.message,
      stack: error.stack,
      code: (error as { code?: string }).code,
      details: error instanceof RingspunError ? error.details : {},
    }
    return [wire, []]
  },
  deserialize: (wire: ErrorWire): never => {
    if (wire.name === 'RingspunError' && wire.code !== undefined && isErrorCode(wire.code)) {
      throw new RingspunError(wire.code, wire.message, wire.details)
    }
    const error = new Error(wire.message)
    if (wire.stack !== undefined) error.stack = wire.stack
    throw error
  },
})

export function exposeControl(control: NodeControl, port: MessagePort): void {
  expose(control, port as unknown as Endpoint)
}

/** The control of a node as its machine holds it: every call ends, by answer, by deadline or by the node's end. */
export interface RemoteControl {
  call<T>(what: (control: Remote<NodeControl>) => Promise<T>, deadlineMs: Millis): Promise<T>
  /** Rejects what is open and every later call. */
  end(reason: Error): void
}

export function wrapControl(port: MessagePort): RemoteControl {
  const remote = wrap<NodeControl>(port as unknown as Endpoint)
  let ended: Error | undefined
  const open = new Set<(reason: Error) => void>()
  return {
    call(what, deadlineMs) {
      if (ended !== undefined) return Promise.reject(ended)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          settle()
          reject(new RingspunError('deadline', `a node did not answer its control within ${deadlineMs} ms`))
        }, deadlineMs)
        const settle = () => {
          clearTimeout(timer)
          open.delete(fail)
        }
        const fail = (reason: Error) => {
          settle()
          reject(reason)
        }
        open.add(fail)
        what(remote).then(
          (value) => {
            settle()
            resolve(value)
          },
          (error: Error) => fail(error),
        )
      })
    },
    end(reason) {
      ended ??= reason
      for (const fail of [...open]) fail(reason)
      port.close()
    },
  }
}

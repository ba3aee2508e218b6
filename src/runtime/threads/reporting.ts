// What a node tells of itself in the status table, 20 times a second: its heartbeat, how late its event loop
// is, and its counters. Read by anybody, without a message.

import type { NodeId } from '../../base/units.js'
import type { ObjectBuffer } from '../../storage/object-buffer.js'
import type { Host } from '../host.js'
import type { StatusTable } from '../status-table.js'
import { now } from './clock.js'

/** A node that was silent for several of these is slow. */
export const heartbeatMs = 50
/** Silence after which a node counts as slow. */
export const slowMs = 6 * heartbeatMs
/** How long the highest loop delay is remembered. */
const delayWindowMs = 1000
/** How often the high-water file is fsynced, and the heap measured. */
const syncEveryMs = 1000

function reportKept(status: StatusTable, node: NodeId, host: Host): void {
  let count = 0
  let bytes = 0
  for (const kept of host.hints) {
    count += kept.count
    bytes += kept.bytes
  }
  status.setCounter(node, 'hints', count)
  status.setCounter(node, 'hintBytes', bytes)
  status.setCounter(node, 'hintsLost', host.hintsLost)
  status.setCounter(node, 'reaped', host.reaped)
  const { mender } = host
  if (mender === undefined) return
  status.setCounter(node, 'compared', mender.compared)
  status.setCounter(node, 'mended', mender.total.pulled + mender.total.pushed)
}

/** Begins; the function that comes back ends it. */
export function beginReporting(
  status: StatusTable,
  node: NodeId,
  host: Host,
  memory: ObjectBuffer,
  sync: () => void,
): () => void {
  let expected = now() + heartbeatMs
  let delayMax = 0
  let windowEnds = now() + delayWindowMs
  let syncDue = now()
  const report = () => {
    const at = now()
    if (at > windowEnds) {
      delayMax = 0
      windowEnds = at + delayWindowMs
    }
    delayMax = Math.max(delayMax, at - expected)
    expected = at + heartbeatMs
    status.beat(node, at)
    status.setComplete(node, !host.catchingUp)
    const { counters, journal } = host
    status.setCounter(node, 'loopDelayMs', Math.round(delayMax))
    status.setCounter(node, 'ringEpoch', host.ringEpoch)
    status.setCounter(node, 'queued', host.queued)
    status.setCounter(node, 'turns', counters.turns)
    status.setCounter(node, 'puts', counters.puts)
    status.setCounter(node, 'gets', counters.gets)
    status.setCounter(node, 'replications', counters.replications)
    status.setCounter(node, 'readRepairs', host.readRepairs)
    status.setCounter(node, 'commits', journal?.counters.commits ?? 0)
    status.setCounter(node, 'fsyncs', journal?.counters.syncs ?? 0)
    status.setCounter(node, 'sequence', journal?.lastSequence ?? 0)
    status.setCounter(node, 'objects', memory.objects)
    status.setCounter(node, 'bufferBytes', memory.bytes)
    status.setCounter(node, 'dirtyBytes', memory.dirtyBytes)
    reportKept(status, node, host)
    if (at > syncDue) {
      syncDue = at + syncEveryMs
      // Costs a tenth of a millisecond: not 20 times a second.
      status.setCounter(node, 'heapBytes', process.memoryUsage().heapUsed)
      sync()
    }
  }
  report()
  const timer = setInterval(report, heartbeatMs)
  return () => {
    report()
    clearInterval(timer)
  }
}

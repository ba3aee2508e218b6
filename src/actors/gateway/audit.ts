// Comparing all replicas of a partition because somebody asks: each of the others with the first that is up.
// Two replicas that equal a third are equal.

import type { NodeId } from '../../base/units.js'
import { type Address, vnodeAddress } from '../../protocol/address.js'
import type { Envelope } from '../../protocol/envelope.js'
import { type Audit, addReports, nothingDone, type Synced } from '../../protocol/sync.js'
import { preferenceList } from '../../ring/preference.js'
import { generationOf, nextRequest, type Turn } from '../actor.js'
import { fail, open } from './open.js'
import { type GatewayState, isUp, type PendingAudit } from './state.js'

export function audit(state: GatewayState, envelope: Envelope<Audit>, turn: Turn): void {
  const { ring } = state
  const { partition, n } = envelope.message
  if (ring === undefined || partition >= ring.partitions) {
    const requester = envelope.from as Address<'client'>
    return turn.send(requester, { type: 'audit-failed', code: 'unavailable' }, envelope.request)
  }
  const replicas = preferenceList(ring, partition).slice(0, n)
  const up = replicas.filter((node) => isUp(state, node))
  const pending: PendingAudit = {
    type: 'audit',
    envelope,
    replicas: up.slice(0, 1),
    generations: up.slice(0, 1).map((node) => generationOf(state, node)),
    peers: up.slice(1),
    missing: replicas.filter((node) => !up.includes(node)),
    report: nothingDone,
  }
  askNext(state, pending, turn)
}

function askNext(state: GatewayState, pending: PendingAudit, turn: Turn): void {
  const { partition, mends, deep } = pending.envelope.message
  const [leader] = pending.replicas
  const [peer] = pending.peers
  if (leader === undefined || peer === undefined) return answer(pending, turn)
  const request = nextRequest(state)
  open(state, request, pending, turn)
  turn.send(
    vnodeAddress(leader, partition),
    { type: 'sync', peer, mends, deep, isRoutine: false, copiesMin: 0 },
    request,
  )
}

export function synced(state: GatewayState, envelope: Envelope, message: Synced, turn: Turn): void {
  const pending = state.pending.get(envelope.request)
  if (pending?.type !== 'audit') return
  state.pending.delete(envelope.request)
  const peer = pending.peers.shift() as NodeId
  pending.report = addReports(pending.report, message.report)
  if (message.failure !== undefined) pending.missing.push(peer)
  askNext(state, pending, turn)
}

function answer(pending: PendingAudit, turn: Turn): void {
  const { envelope, report, missing } = pending
  turn.send(envelope.from as Address<'client'>, { type: 'audit-answered', report, missing }, envelope.request)
}

/** The replica that compares is gone: the question is asked anew by whoever asked. */
export function auditLost(state: GatewayState, request: number, pending: PendingAudit, turn: Turn): void {
  const [leader] = pending.replicas
  if (leader !== undefined && isUp(state, leader) && generationOf(state, leader) === pending.generations[0])
    return
  state.pending.delete(request)
  fail(pending, 'unavailable', {}, turn)
}

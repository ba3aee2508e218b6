// The members of a ring as planning sees them: numbered from 0, in order of their nodes, with the labels that
// keep replicas apart (Dynamo 4.6 spreads a preference list over data centers; hosts and zones here).
//
// Invariants: the order in which members are named makes no difference; a member without a host is a host of its
// own, a host without a zone a zone of its own. Hosts, or zones, keep apart when there are as many as a row has
// places; when every member has its own, there is nothing to keep apart but members.

import { assert } from '../base/assert.js'
import { limits } from '../base/limits.js'
import type { NodeId } from '../base/units.js'
import type { Member } from './member.js'
import { rowsNamingTwice } from './placement.js'

/** Members by number: 0 <= member < count. */
export interface Crew {
  readonly count: number
  readonly nodes: readonly NodeId[]
  readonly weights: readonly number[]
  /** Places of a row that must differ: as many as copies, members and partitions allow. */
  readonly span: number
  /** What must differ within a row, most important first: members, then hosts and zones that keep apart. */
  readonly labels: readonly Int32Array[]
  /** What the labels are of. */
  readonly kinds: readonly LabelKind[]
}

export type LabelKind = 'nodes' | 'hosts' | 'zones'

/** No member: the owner of a partition whose node is gone. */
export const nobody = 0xffff

export function crewOf(members: readonly Member[], copies: number, partitions: number): Crew {
  assert(members.length >= 1 && members.length <= limits.nodesMax, 'a ring has members')
  assert(copies >= 1 && partitions >= 1, 'a ring has copies and partitions')
  const sorted = [...members].sort((a, b) => a.node - b.node)
  const nodes = sorted.map(({ node }) => node)
  assert(new Set(nodes).size === nodes.length, 'a member is named once')
  for (const { node, weight } of sorted) {
    assert(Number.isInteger(node) && node >= 1 && node < nobody, 'a member is a node')
    assert(weight > 0 && Number.isFinite(weight), 'a weight is above 0')
  }
  const span = Math.min(copies, nodes.length, partitions)
  const labels: Int32Array[] = [Int32Array.from(nodes.keys())]
  const kinds: LabelKind[] = ['nodes']
  const texts = { hosts: hostsOf(sorted), zones: zonesOf(sorted) }
  for (const kind of ['hosts', 'zones'] as const) {
    const different = [...new Set(texts[kind])]
    if (different.length < span || different.length === nodes.length) continue
    labels.push(Int32Array.from(texts[kind], (text) => different.indexOf(text)))
    kinds.push(kind)
  }
  return { count: nodes.length, nodes, weights: sorted.map(({ weight }) => weight), span, labels, kinds }
}

function hostsOf(members: readonly Member[]): string[] {
  return members.map(({ node, host }) => (host === '' ? `node ${node}` : `host ${host}`))
}

/** A zone that is not named is as large as the host. */
function zonesOf(members: readonly Member[]): string[] {
  const hosts = hostsOf(members)
  return members.map(({ zone }, i) => (zone === '' ? (hosts[i] as string) : `zone ${zone}`))
}

/** Owners as members; nodes that are none are nobody. */
export function membersOf(owners: Uint16Array, crew: Crew): Uint16Array {
  const memberOf = new Uint16Array(0x1_0000).fill(nobody)
  for (let member = 0; member < crew.count; member++) memberOf[crew.nodes[member] as NodeId] = member
  return owners.map((node) => memberOf[node] as number)
}

/** How many partitions each member has; nobody's are not counted. */
export function countsOf(owners: Uint16Array, crew: Crew): Int32Array {
  const counts = new Int32Array(crew.count)
  for (const owner of owners) if (owner < crew.count) counts[owner] = (counts[owner] as number) + 1
  return counts
}

/** Whether members differ in nothing but their numbers. */
export function isPlain(crew: Crew): boolean {
  return crew.labels.length === 1 && crew.weights.every((weight) => weight === crew.weights[0])
}

/** Rows that name one twice, for each kind of label. Partitions of nobody name nothing. */
export function spoiltRows(crew: Crew, owners: Uint16Array): number[] {
  return crew.labels.map((label) => {
    const named = Int32Array.from(owners, (owner) => (owner === nobody ? -1 : (label[owner] as number)))
    return rowsNamingTwice(named, crew.span)
  })
}

// What can be changed about who is a member, and when and by whom it was: the entries of the history of
// membership (Dynamo 4.8.1: "the node that serves the request writes the membership change and its time of
// issue to persistent store"). Only what can be said of a plan by looking at it; whether it can be done to the
// members of the moment is said by roster.ts.

import { limits } from '../base/limits.js'
import type { Millis, NodeId } from '../base/units.js'

/** The node becomes a member. */
export interface Join {
  readonly kind: 'join'
  readonly node: NodeId
  readonly weight: number
  readonly host: string
  readonly zone: string
}

/** The node is a member no longer; what it holds goes to the others. */
export interface Leave {
  readonly kind: 'leave'
  readonly node: NodeId
}

/** The node leaves, and one that is no member yet takes exactly its place in the ring. */
export interface Replace {
  readonly kind: 'replace'
  readonly node: NodeId
  readonly successor: NodeId
  /** Of the successor, as are host and zone. */
  readonly weight: number
  readonly host: string
  readonly zone: string
}

/** The node shall hold more, or less. */
export interface Reweigh {
  readonly kind: 'weight'
  readonly node: NodeId
  readonly weight: number
}

export type Change = Join | Leave | Replace | Reweigh

/** Changes that were issued together: one plan, one new ring. */
export interface Entry {
  /** Time of issue, hybrid: the issuer's wall clock, but later than every entry that the issuer knew. */
  readonly at: Millis
  readonly issuer: NodeId
  /** The issuer's own count, from 1. */
  readonly serial: number
  /** 1 to nodesMax of them, no node named twice: their order says nothing. */
  readonly changes: readonly Change[]
}

export const weightMin = 0.001
export const weightMax = 1_000

/** Names of hosts and zones: printable ASCII without blanks, so that they are the same text everywhere. */
const name = /^[\x21-\x7e]*$/

/** What is wrong with a plan that may come from outside and be of any type; undefined when nothing is. */
export function mistakeIn(changes: unknown): string | undefined {
  if (!Array.isArray(changes) || changes.length < 1 || changes.length > limits.nodesMax) {
    return `a plan has 1 to ${limits.nodesMax} changes`
  }
  const named = new Set<NodeId>()
  for (const change of changes as unknown[]) {
    if (typeof change !== 'object' || change === null) return 'a change is an object'
    const mistake = mistakeInChange(change as Change)
    if (mistake !== undefined) return mistake
    for (const node of nodesOf(change as Change)) {
      if (named.has(node)) return `node ${node} is named twice in one plan`
      named.add(node)
    }
  }
  return undefined
}

/** The nodes that a change is about. */
function nodesOf(change: Change): readonly NodeId[] {
  return change.kind === 'replace' ? [change.node, change.successor] : [change.node]
}

function mistakeInChange(change: Change): string | undefined {
  if (!isNode(change.node)) return `a node is a whole number from 1 to ${limits.nodesMax}`
  switch (change.kind) {
    case 'leave':
      return undefined
    case 'weight':
      return mistakeInWeight(change.weight)
    case 'replace':
      if (!isNode(change.successor)) return `a successor is a whole number from 1 to ${limits.nodesMax}`
      return mistakeInWeight(change.weight) ?? mistakeInNames(change)
    case 'join':
      return mistakeInWeight(change.weight) ?? mistakeInNames(change)
    default:
      return 'a change is a join, leave, replace or weight'
  }
}

export function isNode(node: unknown): node is NodeId {
  return Number.isInteger(node) && (node as NodeId) >= 1 && (node as NodeId) <= limits.nodesMax
}

function mistakeInWeight(weight: unknown): string | undefined {
  const isGood = typeof weight === 'number' && weight >= weightMin && weight <= weightMax
  return isGood ? undefined : `a weight is a number from ${weightMin} to ${weightMax}`
}

function mistakeInNames({ host, zone }: Join | Replace): string | undefined {
  return isName(host) && isName(zone)
    ? undefined
    : `host and zone are at most ${limits.hostNameBytesMax} printable ASCII characters, without blanks`
}

function isName(text: unknown): boolean {
  return typeof text === 'string' && text.length <= limits.hostNameBytesMax && name.test(text)
}

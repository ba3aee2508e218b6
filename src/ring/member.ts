// A member of the cluster, as far as the ring cares: who it is, how much it shall hold, and what it shares a fate
// with (Dynamo 4.2: the number of partitions follows the capacity; 4.6: the copies of a key lie in several data
// centres). Who is a member is said by membership (membership/history), who is up by nobody here.

import type { NodeId } from '../base/units.js'

export interface Member {
  readonly node: NodeId
  /** Share of the ring relative to the others; 1 is usual. > 0. */
  readonly weight: number
  /** The process or machine that the node runs in: what fails as one. '' when there is only one. */
  readonly host: string
  /** The rack, room or data centre of the host. '' when there is only one. */
  readonly zone: string
}

// The conversation of who decides puts with a condition, when the first node of a preference list is another by a later
// ring (Dynamo 4.9): the new first decides nothing before the old one has said that it does not any more.
//
//   the first of afterwards --cede--> the first of before      from here on it hands such puts on
//                           <--ceded--                         what it had decided is with the replicas

/** Decide nothing more: by this ring the asker is the first of the preference list. */
export interface Cede {
  readonly type: 'cede'
  readonly epoch: number
  /** By this earlier ring it was the one that is asked: who has not heard of that has nothing to give up yet. */
  readonly by: number
  /** How often it was handed on, by those who had ceded already. */
  readonly hops: number
}

/** Whoever says it decides nothing more, and nothing that it has decided is still on its way. */
export interface Ceded {
  readonly type: 'ceded'
}

/** Time to ask again, and to let go of puts that have waited for it long enough. */
export interface CedeDue {
  readonly type: 'cede-due'
}

// Every error that a user can see, in one table: code, what it means for the write, what to do about it.
// A *refused* operation had no effect, guaranteed. An *indeterminate* one may have happened or may yet
// happen, and nobody may call it failed. Codes are part of the public interface; texts are not.

export type Outcome = 'refused' | 'indeterminate'

interface Entry {
  readonly outcome: Outcome
  readonly remedy: string
}

const refused = (remedy: string): Entry => ({ outcome: 'refused', remedy })
const indeterminate = (remedy: string): Entry => ({ outcome: 'indeterminate', remedy })

export const errorTable = {
  // What the caller wrote.
  'key-empty': refused('use a key of 1 byte or more'),
  'key-too-large': refused('use a key of at most keyBytesMax bytes, or hash it first'),
  'key-invalid': refused('pass a string or a Uint8Array as the key'),
  'bucket-invalid': refused('use 1 to 64 characters of A-Z a-z 0-9 _ . : - for a bucket name'),
  'value-too-large': refused('store a smaller value, split it, or raise valueBytesMax (64 MiB at most)'),
  'value-invalid': refused(
    'pass bytes, a string, or a value that MessagePack can encode (no functions, symbols or cycles)',
  ),
  'value-undecodable': refused(
    'the stored bytes are not what the codec of this bucket writes: read them with codec bytes',
  ),
  'option-unknown': refused('remove the option, or see the documentation for its right name'),
  'option-invalid': refused('use a value of the documented type and range'),
  'quorum-invalid': refused('use 1 <= r <= n, 1 <= w <= n, 0 <= dw <= w and n <= nodes'),
  'expiry-invalid': refused('use a positive expiry, at most the year 9999'),
  'context-invalid': refused('pass the context of a get or put unchanged, or none at all'),
  'context-mismatch': refused('use a context only for the bucket and key that it was read from'),
  'context-too-large': refused('use the context of a get unchanged'),
  'too-many-siblings': refused(
    'read the key, merge its values and put the result with the context of that read',
  ),
  'batch-too-large': refused('split the batch'),
  'cursor-invalid': refused('start the iteration again, without a cursor'),
  'merge-invalid': refused('make the merge function commutative, associative and idempotent; see checkMerge'),
  'membership-invalid': refused('look at who is a member now, and ask for a change that can be made to them'),
  // What the cluster can do now.
  'condition-failed': refused('the key exists (NX) or does not (XX): read it and decide again'),
  unavailable: refused('wait until enough replicas are up, or ask for a smaller quorum'),
  overloaded: refused('slow down and try again; raise the limits only if memory allows'),
  recovering: refused('try again in a moment: this replica is catching up after an unclean start'),
  unreadable: refused('the stored copy failed its checksum; another replica may have it'),
  aborted: refused('the request was aborted before it was sent'),
  expired: refused('the deadline passed before the work was begun; allow more time'),
  'handle-invalid': refused('pass what cluster.handle() returned, from the same version of ringspun'),
  'too-many-clients': refused('close an attached cluster that is not used, or share one within a thread'),
  draining: refused('the cluster is shutting down; use another one'),
  closed: refused('open the cluster before using it'),
  // What nobody can know.
  deadline: indeterminate('read the key to see whether the write happened'),
  'coordinator-lost': indeterminate('read the key to see whether the write happened'),
  'quorum-lost': indeterminate('read the key to see whether the write happened'),
  'storage-failed': indeterminate('look at the disk; read the key to see whether the write happened'),
  'aborted-in-flight': indeterminate('read the key to see whether the write happened'),
  // The data directory and the process.
  'data-dir-locked': refused('end the other process that has the directory open, or use another directory'),
  'data-dir-format': refused('open the directory with a version of ringspun that knows its format'),
  'data-dir-layout': refused('open the directory with the settings that it was made with'),
  'data-dir-invalid': refused(
    'name a directory that exists or can be made, is writable, and belongs to ringspun',
  ),
  'storage-unavailable': refused('look at the disk: space, permissions, open files, hardware'),
  'node-failed': refused('read the log of the node; restart the cluster when the cause is mended'),
  'address-in-use': refused('use another port, or 0 for a free one'),
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof errorTable

export interface ErrorDetails {
  readonly [name: string]: string | number | boolean | undefined
}

/**
 * The one error class of ringspun.
 *
 * `code` is stable and comes from one table, `outcome` says whether the operation had no effect ('refused')
 * or may have had one ('indeterminate'), `remedy` what to do, `details` the numbers (needed, reached, limit …).
 *
 * @example
 * try { await bucket.put('k', 'v', { w: 3 }) }
 * catch (error) { if (error instanceof RingspunError && error.code === 'unavailable') … }
 */
export class RingspunError extends Error {
  readonly code: ErrorCode
  readonly outcome: Outcome
  readonly remedy: string
  readonly details: ErrorDetails

  constructor(code: ErrorCode, reason: string, details: ErrorDetails = {}, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause })
    this.name = 'RingspunError'
    this.code = code
    this.outcome = errorTable[code].outcome
    this.remedy = errorTable[code].remedy
    this.details = details
  }
}

/** True for a code of the table: for codes that came over a wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code)
}

// The store port over RocksDB (Dynamo 4.9, a local persistence engine behind an interface): one batch a
// commit, one read batch a turn. The binding has no fsync option, so a durable commit is the batch and then
// LogSync.
//
// Invariants: commits and range deletes reach RocksDB one at a time, in the order of their calls (its pool would
// reorder them). `done` of a 'disk' commit comes after its bytes, and those of every batch before it, are
// fsynced. A store whose write or fsync failed accepts no more: what is in it is not known until it is reopened.

import { freshBytes, latin1Slice, latin1Write } from '../base/bytes.js'
import { RingspunError } from '../base/errors.js'
import { makeDirectory } from './directories.js'
import { LogSync } from './log-sync.js'
import { type Database, type DatabaseOptions, RocksDB } from './rocksdb-binding.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from './store.js'

export interface RocksOptions {
  /** Bytes of a memtable. Larger: fewer flushes and compactions, longer replay (about 2 microseconds a record). */
  readonly writeBufferBytes?: number
}

/** Rows that an iterator fetches per call, at most; its own default of 8 is a trip to the pool every 8 rows. */
const iteratorCapacityMax = 512

/**
 * Opens the store in `dir`, which is made when it is not there. Errors: `data-dir-locked`, `storage-unavailable`.
 * `damage` is set when the log was damaged in its middle: the store holds what came before that, and no more.
 */
export function openRocksStore(
  dir: string,
  options: RocksOptions,
  done: (error: Error | undefined, store?: Store, damage?: Error) => void,
): void {
  open(dir, options).then(
    ({ store, damage }) => done(undefined, store, damage),
    (error: Error) => done(explain(dir, error)),
  )
}

interface Opened {
  readonly store: RocksStore
  readonly damage: Error | undefined
}

async function open(dir: string, options: RocksOptions): Promise<Opened> {
  const { TOLERATE_CORRUPTED_TAIL_RECORDS, POINT_IN_TIME } = RocksDB.constants.walRecoveryMode
  makeDirectory(dir)
  let damage: Error | undefined
  let database = new RocksDB(dir, settings(options, TOLERATE_CORRUPTED_TAIL_RECORDS))
  try {
    await database.ready()
  } catch (error) {
    if (!isDamage(error as Error)) throw error
    damage = error as Error
    database = new RocksDB(dir, settings(options, POINT_IN_TIME))
    await database.ready()
  }
  return { store: new RocksStore(database, await LogSync.open(database, dir)), damage }
}

function settings(options: RocksOptions, walRecoveryMode: number): DatabaseOptions {
  return {
    // One flush and one compaction at a time: every node has a database of its own, and all share the cores.
    maxBackgroundJobs: 2,
    // Replay after a crash takes about 2 microseconds a record, so a full memtable of small objects is under a
    // second. Three of them: one filling, one being flushed, one to spare before writers are held up.
    writeBufferSize: options.writeBufferBytes ?? 32 * 1024 * 1024,
    maxWriteBufferNumber: 3,
    // Objects are read one by one, by key: small blocks waste less of each read, for a larger index.
    tableBlockSize: 4096,
    // 10 bits a key: 1 % of reads of absent keys touch a file. A first put of a key is such a read.
    filterPolicy: new RocksDB.BloomFilterPolicy(10),
    // First the mode that refuses any damage but a torn tail, which kill -9 and power cuts leave; then, when it
    // does, the one that keeps all up to the damage. "Absolute" would refuse the torn tail, "skip" leaves holes.
    walRecoveryMode,
    // The log is replayed at the next opening: closing need not wait for a flush.
    avoidFlushDuringShutdown: true,
  }
}

/** What RocksDB says of a record, a block or a file that does not fit its checksum or its length. */
export function isDamage(error: Error): boolean {
  return damages.test(error.message)
}

const damages =
  /checksum mismatch|corrupt|bad record|unknown record type|missing start|partial record|CURRENT file|file size mismatch|no log_file_number|not an sstable|bad block|file is too short|truncated/i

function explain(dir: string, error: Error): RingspunError {
  // "lock hold by current process", "While lock file: …", on Windows "Failed to create lock file: …".
  if (/\block (hold|file)\b/i.test(error.message.replaceAll(dir, ''))) {
    return new RingspunError('data-dir-locked', `${dir} is open elsewhere: ${error.message}`, { dir }, error)
  }
  return new RingspunError('storage-unavailable', `${dir} cannot be opened: ${error.message}`, { dir }, error)
}

interface Job {
  readonly writes: readonly Write[] | undefined
  readonly range: { readonly from: RowKey; readonly to: RowKey } | undefined
  readonly level: CommitLevel
  readonly done: Done
}

class RocksStore implements Store {
  private readonly database: Database
  private readonly log: LogSync
  /** Behind the job that is under way, in the order of the calls. */
  private readonly waiting: Job[] = []
  private busy = false
  private failed: Error | undefined
  private closing: Done | undefined
  private closed = false
  private reading = 0

  constructor(database: Database, log: LogSync) {
    this.database = database
    this.log = log
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    this.enqueue({ writes, range: undefined, level, done })
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    this.enqueue({ writes: undefined, range: { from, to }, level: 'os', done })
  }

  private enqueue(job: Job): void {
    if (this.closing !== undefined) return later(() => job.done(closedError()))
    if (this.failed !== undefined) return later(() => job.done(this.refusal()))
    this.waiting.push(job)
    if (!this.busy) this.begin()
  }

  private begin(): void {
    const job = this.waiting.shift()
    if (job === undefined) return
    this.busy = true
    this.run(job).then(
      () => this.finish(job, undefined),
      (error: Error) => {
        this.failed ??= error
        const details = { reason: reason(error) }
        this.finish(
          job,
          new RingspunError('storage-failed', `a commit failed: ${details.reason}`, details, error),
        )
      },
    )
  }

  private finish(job: Job, error: Error | undefined): void {
    this.busy = false
    if (this.failed !== undefined) {
      for (const refused of this.waiting.splice(0)) later(() => refused.done(this.refusal()))
    }
    this.begin()
    this.closeWhenIdle()
    job.done(error)
  }

  private refusal(): Error {
    const details = { reason: reason(this.failed as Error) }
    return new RingspunError(
      'storage-failed',
      `the store failed before: ${details.reason}`,
      details,
      this.failed,
    )
  }

  private async run({ writes, range, level }: Job): Promise<void> {
    const batch = this.database.write({ capacity: Math.max(8, writes?.length ?? 0), autoDestroy: true })
    if (range !== undefined) batch.tryDeleteRange(bytesOf(range.from), bytesOf(range.to))
    for (const { row, value } of writes ?? []) {
      if (value === undefined) batch.tryDelete(bytesOf(row))
      else batch.tryPut(bytesOf(row), value)
    }
    const before = level === 'disk' ? this.log.size() : 0
    await batch.flush()
    if (level === 'disk') await this.log.sync(this.log.size() > before)
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    if (this.closing !== undefined) return later(() => done(closedError(), []))
    if (rows.length === 0) return later(() => done(undefined, []))
    const batch = this.database.read({ capacity: Math.max(8, rows.length), autoDestroy: true })
    const values: (Uint8Array | Error | undefined)[] = new Array(rows.length)
    let left = rows.length
    const settle = (at: number, value: Uint8Array | Error | undefined) => {
      values[at] = value
      if (--left > 0) return
      this.reading--
      this.closeWhenIdle()
      done(undefined, values)
    }
    this.reading++
    for (let at = 0; at < rows.length; at++) {
      batch.get(bytesOf(rows[at] as RowKey)).then(
        (value) => settle(at, value ?? undefined),
        (error: Error) => settle(at, error),
      )
    }
    batch.tryFlush()
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    if (this.closing !== undefined) return later(() => done(closedError(), []))
    if (limit < 1 || after >= before) return later(() => done(undefined, []))
    const found: Row[] = []
    let failure: Error | undefined
    this.reading++
    this.database
      // One more than wanted: a page that comes short tells the stream that it has ended, without another trip.
      .iterator({
        gt: bytesOf(after),
        lt: bytesOf(before),
        limit,
        capacity: Math.min(limit, iteratorCapacityMax) + 1,
      })
      .on('data', ({ key, value }) => {
        found.push({ row: latin1Slice(key, 0, key.length), value })
      })
      .on('error', (error) => {
        failure = error
      })
      .on('close', () => {
        this.reading--
        this.closeWhenIdle()
        if (failure === undefined) done(undefined, found)
        else
          done(new RingspunError('storage-unavailable', `a walk failed: ${reason(failure)}`, {}, failure), [])
      })
  }

  close(done: Done): void {
    if (this.closing !== undefined) return later(() => done(closedError()))
    this.closing = done
    later(() => this.closeWhenIdle())
  }

  /** The binding would wait too, but it refuses the calls that a job still has to make. */
  private closeWhenIdle(): void {
    const done = this.closing
    if (done === undefined || this.closed || this.busy || this.waiting.length > 0 || this.reading > 0) return
    this.closed = true
    this.log
      .close()
      .finally(() => this.database.close())
      .then(
        () => done(undefined),
        (error: Error) => done(error),
      )
  }
}

function bytesOf(row: RowKey): Buffer {
  const bytes = freshBytes(row.length)
  latin1Write(bytes, row, 0)
  return bytes
}

function closedError(): RingspunError {
  return new RingspunError('closed', 'the store is closed')
}

/** RocksDB's own words are in the cause of the binding's error. */
function reason(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}

/** A callback never comes before the call has returned. */
function later(task: () => void): void {
  queueMicrotask(task)
}

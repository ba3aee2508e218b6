// The store port over RocksDB: one batch a commit, one read batch a turn. The binding has no fsync option, so
// a durable commit is the batch and then an fdatasync of the write-ahead log file that it went to. The log may
// rotate meanwhile: the file is looked up again, the older one is synced too, and the directory when a new
// file appeared in it.
//
// Invariant: `done` of a 'disk' commit is called after the bytes of the batch, and of every batch before it,
// are fsynced. A store whose write failed accepts no more: RocksDB's own errors stay until it is reopened.

import { close, constants, fdatasync, fsync, mkdirSync, open, readdirSync } from 'node:fs'
import { basename, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { RingspunError } from '../base/errors.js'
import { type Database, type DatabaseOptions, RocksDB, type WalFile } from './rocksdb-binding.js'
import type { CommitLevel, Done, Row, RowKey, Store, Write } from './store.js'

const openFile = promisify(open)
const closeFile = promisify(close)
const syncFile = promisify(fsync)
const syncData = promisify(fdatasync)

export interface RocksOptions {
  /** Bytes of a memtable. Larger: fewer flushes and compactions, longer replay (about 2 microseconds a record). */
  readonly writeBufferBytes?: number
}

/** Rows that an iterator fetches per call; its own default of 8 makes a walk ten times slower. */
const iteratorCapacity = 256

export function openRocksStore(
  dir: string,
  options: RocksOptions,
  done: (error: Error | undefined, store?: Store) => void,
): void {
  RocksStore.open(dir, options).then(
    (store) => done(undefined, store),
    (error: Error) => done(explain(dir, error)),
  )
}

function settings(options: RocksOptions): DatabaseOptions {
  return {
    // One flush and one compaction at a time: every node has a database of its own, and all share the cores.
    maxBackgroundJobs: 2,
    writeBufferSize: options.writeBufferBytes ?? 32 * 1024 * 1024,
    maxWriteBufferNumber: 3,
    // Objects are read one by one, by key: small blocks waste less of each read.
    tableBlockSize: 4096,
    // 10 bits a key: 1 % of reads of absent keys touch a file.
    filterPolicy: new RocksDB.BloomFilterPolicy(10),
    // Stops at the first damaged record. Never "skip any", which would leave holes in the middle; "absolute"
    // would refuse the torn tail that every kill -9 leaves. What it cuts off is noticed by the high-water mark.
    walRecoveryMode: RocksDB.constants.walRecoveryMode.POINT_IN_TIME,
    // The log is replayed at the next opening: closing need not wait for a flush.
    avoidFlushDuringShutdown: true,
  }
}

function explain(dir: string, error: Error): RingspunError {
  if (/lock/i.test(error.message)) {
    return new RingspunError('data-dir-locked', `${dir} is open elsewhere: ${error.message}`, { dir }, error)
  }
  return new RingspunError('storage-unavailable', `${dir} cannot be opened: ${error.message}`, { dir }, error)
}

function bytesOf(row: RowKey): Buffer {
  return Buffer.from(row, 'latin1')
}

class RocksStore implements Store {
  private readonly database: Database
  private readonly dir: string
  /** The log that is open here for fsync: the one that the last durable commit ended in. */
  private log: { readonly name: string; readonly file: number } | undefined
  private failed: Error | undefined
  private closed = false

  private constructor(database: Database, dir: string) {
    this.database = database
    this.dir = dir
  }

  static async open(dir: string, options: RocksOptions): Promise<RocksStore> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const database = new RocksDB(dir, settings(options))
    await database.ready()
    const store = new RocksStore(database, dir)
    await store.useLog(await database.currentWalFile())
    return store
  }

  commit(writes: readonly Write[], level: CommitLevel, done: Done): void {
    const refusal = this.refusal()
    if (refusal !== undefined) return later(() => done(refusal))
    this.write(writes, level).then(
      () => done(undefined),
      (error: Error) => {
        this.failed ??= error
        done(new RingspunError('storage-failed', `a commit failed: ${reason(error)}`, {}, error))
      },
    )
  }

  private refusal(): Error | undefined {
    if (this.closed) return new RingspunError('closed', 'the store is closed')
    if (this.failed === undefined) return undefined
    return new RingspunError(
      'storage-failed',
      `the store failed before: ${reason(this.failed)}`,
      {},
      this.failed,
    )
  }

  private async write(writes: readonly Write[], level: CommitLevel): Promise<void> {
    const batch = this.database.write({ capacity: Math.max(8, writes.length), autoDestroy: true })
    for (const { row, value } of writes) {
      if (value === undefined) batch.tryDelete(bytesOf(row))
      else batch.tryPut(bytesOf(row), value)
    }
    await batch.flush()
    if (level === 'disk') await this.syncLogs()
  }

  /** The batch is in the log that was open here, or in any newer one: all of them are synced. */
  private async syncLogs(): Promise<void> {
    const current = await this.database.currentWalFile()
    const before = this.log
    if (before !== undefined) await syncData(before.file)
    if (before?.name === basename(current.path)) return
    for (const name of readdirSync(this.dir)) {
      if (name.endsWith('.log') && name > (before?.name ?? '') && name < basename(current.path))
        await this.syncLog(name)
    }
    await this.useLog(current)
    if (this.log !== undefined) await syncData(this.log.file)
    await this.syncPath('.')
    if (before !== undefined) await closeFile(before.file)
  }

  /** A log that came and went between two durable commits. One that is gone has been flushed, and fsynced so. */
  private async syncLog(name: string): Promise<void> {
    try {
      await this.syncPath(name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  private async syncPath(name: string): Promise<void> {
    const file = await openFile(join(this.dir, name), constants.O_RDONLY)
    await syncFile(file).finally(() => closeFile(file))
  }

  private async useLog(wal: WalFile): Promise<void> {
    const name = basename(wal.path)
    const path = isAbsolute(wal.path) && wal.path.startsWith(this.dir) ? wal.path : join(this.dir, name)
    this.log = { name, file: await openFile(path, constants.O_RDONLY) }
  }

  read(
    rows: readonly RowKey[],
    done: (error: Error | undefined, values: readonly (Uint8Array | Error | undefined)[]) => void,
  ): void {
    if (this.closed) return later(() => done(new RingspunError('closed', 'the store is closed'), []))
    const batch = this.database.read({ capacity: Math.max(8, rows.length), autoDestroy: true })
    const gets = rows.map((row) =>
      batch.get(bytesOf(row)).then(
        (value) => value ?? undefined,
        (error: Error) => error,
      ),
    )
    batch.tryFlush()
    Promise.all(gets).then((values) => done(undefined, values))
  }

  walk(
    after: RowKey,
    before: RowKey,
    limit: number,
    done: (error: Error | undefined, rows: readonly Row[]) => void,
  ): void {
    if (this.closed) return later(() => done(new RingspunError('closed', 'the store is closed'), []))
    this.collect(after, before, limit).then(
      (rows) => done(undefined, rows),
      (error: Error) => done(error, []),
    )
  }

  private async collect(after: RowKey, before: RowKey, limit: number): Promise<Row[]> {
    const rows: Row[] = []
    const range = {
      gt: bytesOf(after),
      lt: bytesOf(before),
      limit,
      capacity: Math.min(limit, iteratorCapacity),
    }
    for await (const { key, value } of this.database.iterator(range)) {
      rows.push({ row: key.toString('latin1'), value })
    }
    return rows
  }

  deleteRange(from: RowKey, to: RowKey, done: Done): void {
    const refusal = this.refusal()
    if (refusal !== undefined) return later(() => done(refusal))
    const batch = this.database.write({ autoDestroy: true })
    batch.tryDeleteRange(bytesOf(from), bytesOf(to))
    batch.flush().then(
      () => done(undefined),
      (error: Error) => done(error),
    )
  }

  close(done: Done): void {
    if (this.closed) return later(() => done(undefined))
    this.closed = true
    const { log } = this
    this.database
      .close()
      .then(() => (log === undefined ? undefined : closeFile(log.file)))
      .then(
        () => done(undefined),
        (error: Error) => done(error),
      )
  }
}

/** RocksDB's own words are in the cause of the binding's error. */
function reason(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}

/** A callback never comes before the call has returned. */
function later(task: () => void): void {
  queueMicrotask(task)
}

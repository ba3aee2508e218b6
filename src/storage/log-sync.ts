// Brings the write-ahead log of RocksDB to the disk, because the binding cannot: fdatasync of the log files.
//
//     batch written --> the log that is open here has grown by it --> fdatasync of that: done
//                   \-> it has not --> fdatasync of it --------------+--> same log as before: done
//                                  \-> which log is written to now? -+--> rotated: fdatasync of every newer one
//                                                                         too, then fsync of the directory
//
// Invariant: after `sync`, every batch that was written before the call is on disk, whichever log holds it.
// Batches lie in log numbers from the one that is open here (inclusive) to the one that RocksDB names after
// the batch (inclusive), so all of those are synced. One call at a time; the store sees to it.

import { close, fdatasync, fstatSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { syncDirectory } from './directories.js'
import type { Database } from './rocksdb-binding.js'

// Through the pool and not on the calling thread: see docs/decisions/storage.md for the measurement.
const syncData = promisify(fdatasync)
const closeFile = promisify(close)

interface OpenLog {
  readonly number: number
  readonly file: number
}

export class LogSync {
  private readonly database: Database
  private readonly dir: string
  /** Kept open between commits: opening it again would cost as much as a small fsync. */
  private log: OpenLog

  private constructor(database: Database, dir: string, log: OpenLog) {
    this.database = database
    this.dir = dir
    this.log = log
  }

  /** Right after the database was opened, before the first batch. */
  static async open(database: Database, dir: string): Promise<LogSync> {
    const { number } = await database.currentWalFile()
    const file = openLog(dir, number)
    if (file === undefined) throw new Error(`the log ${nameOf(number)} is not there`)
    // The log's own name must be on disk, or what is synced into it is lost with it.
    syncDirectory(dir)
    return new LogSync(database, dir, { number, file })
  }

  /** Bytes of the log that is open here. Room that RocksDB takes in advance does not count. */
  size(): number {
    return fstatSync(this.log.file).size
  }

  /** `isHere`: the last batch went into the log that is open here, so nothing has gone into a newer one. */
  async sync(isHere = false): Promise<void> {
    if (isHere) return syncData(this.log.file)
    for (;;) {
      const { log } = this
      // Both begin after the batch was written, which is all that matters; side by side they take less time.
      const [current] = await Promise.all([this.database.currentWalFile(), syncData(log.file)])
      if (current.number === log.number) return
      if (await this.catchUp(log, current.number)) return
    }
  }

  /** Syncs the logs after `from` up to `to`, and keeps `to` open. False when `to` was gone: look again. */
  private async catchUp(from: OpenLog, to: number): Promise<boolean> {
    for (const number of logsOf(this.dir)) {
      if (number <= from.number || number > to) continue
      // One that is gone meanwhile was flushed to a table, which RocksDB syncs itself.
      const file = openLog(this.dir, number)
      if (file === undefined) continue
      try {
        await syncData(file)
      } catch (error) {
        await closeFile(file)
        throw error
      }
      await closeFile(this.log.file)
      this.log = { number, file }
    }
    syncDirectory(this.dir)
    return this.log.number === to
  }

  close(): Promise<void> {
    return closeFile(this.log.file)
  }
}

/** Numbers of the logs that are there, oldest first. */
function logsOf(dir: string): number[] {
  const numbers: number[] = []
  for (const name of readdirSync(dir)) {
    if (/^\d+\.log$/.test(name)) numbers.push(Number.parseInt(name, 10))
  }
  return numbers.sort((a, b) => a - b)
}

function nameOf(number: number): string {
  return `${String(number).padStart(6, '0')}.log`
}

/** Undefined when it is not there. Opened for writing too: Windows syncs no other. */
function openLog(dir: string, number: number): number | undefined {
  try {
    return openSync(join(dir, nameOf(number)), 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

// Directories that are still there after a power cut: the name of a new file or directory lies in its parent,
// and is on disk only when the parent was fsynced. Used by whatever makes files: the data directory, the
// store's log, the high-water file.
//
// Synchronous: all of it happens while something is opened, or once per rotated log.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes what is missing of `path` (mode 0700) and fsyncs every directory that got a new name. Step by step,
 * because the recursive mkdir of Node never ends where names cannot be made at all (seen below /proc).
 */
export function makeDirectory(path: string): void {
  const missing: string[] = []
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at)
  for (const directory of missing.reverse()) {
    makeOne(directory)
    syncDirectory(dirname(directory))
  }
}

/** Somebody else may have made it in the same moment. */
function makeOne(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

export function syncDirectory(path: string): void {
  // Windows has no fsync of directories; its journal orders the names.
  if (process.platform === 'win32') return
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Removes the directory and all that is in it; no error when it is not there. */
export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true })
  if (existsSync(dirname(resolve(path)))) syncDirectory(dirname(resolve(path)))
}

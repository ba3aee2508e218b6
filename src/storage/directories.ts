// Directories that are still there after a power cut: the name of a new file or directory lies in its parent,
// and is on disk only when the parent was fsynced. Used by whatever makes files: the data directory, the
// store's log, the high-water file.
//
// Synchronous: all of it happens while something is opened, or once per rotated log.

import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Makes what is missing of `path` (mode 0700) and fsyncs every directory that got a new name. */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  const top = dirname(resolve(first))
  for (let parent = dirname(resolve(path)); ; parent = dirname(parent)) {
    syncDirectory(parent)
    if (parent === top || parent === dirname(parent)) return
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

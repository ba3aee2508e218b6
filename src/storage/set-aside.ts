// A store that RocksDB cannot read is not deleted: its folder gets another name beside the old one, where whoever wants
// to can look at it, and the node begins with nothing. Only where some other node's store looks well: when none does,
// something else is wrong (another disk, another version), and an empty cluster would be the worst answer.

import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from './directories.js'

/** Folder of the rows in the folder of a node. */
export const objectsFolder = 'objects'
/** Kept of one node, so that a disk that rots on does not fill itself. */
const asidesMax = 3

/** Renames the store of the node in `dir`; the new name, or undefined when it was left where it is. */
export function setAside(dir: string): string | undefined {
  const others = readdirSync(dirname(dir)).filter((name) => /^node-\d+$/.test(name) && name !== basename(dir))
  if (!others.some((name) => looksWell(join(dirname(dir), name, objectsFolder)))) return undefined
  for (let number = 1; number <= asidesMax; number++) {
    const aside = join(dir, `${objectsFolder}.damaged-${number}`)
    if (existsSync(aside)) continue
    renameSync(join(dir, objectsFolder), aside)
    syncDirectory(dir)
    return aside
  }
  return undefined
}

/** CURRENT names a manifest that is there. */
function looksWell(store: string): boolean {
  try {
    const manifest = /^(MANIFEST-\d+)\n$/.exec(readFileSync(join(store, 'CURRENT'), 'latin1'))?.[1]
    return manifest !== undefined && statSync(join(store, manifest)).size > 0
  } catch {
    return false
  }
}

// Opens a data directory, says OPEN or the code of the refusal, and keeps it open until it is killed.
// Arguments: URL of the compiled module, the directory.

import { writeSync } from 'node:fs'

const { openDataDirectory } = await import(process.argv[2])
try {
  const wanted = { nodes: undefined, partitions: undefined, hash: undefined }
  openDataDirectory(process.argv[3], wanted, '0.0.0')
  writeSync(1, 'OPEN\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  writeSync(1, `REFUSED ${error.code}\n`)
}

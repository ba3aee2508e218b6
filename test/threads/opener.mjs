// Opens the directory it is given and says how that went: the second process in tests of the lock.

import { Cluster } from '../../dist/index.js'

try {
  const cluster = await Cluster.open({ dir: process.argv[2], log: () => {} })
  await cluster.close()
  process.stdout.write('opened\n')
} catch (error) {
  process.stdout.write(`${error.code} ${error.outcome}\n`)
}

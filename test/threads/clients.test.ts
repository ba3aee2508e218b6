// The stories of Redis clients over a real cluster: three node threads, RocksDB, one copy fsynced before the
// answer. From dist, since a worker cannot load TypeScript.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Cluster } from '../../dist/index.js'
import { startRedisServer } from '../../dist/server/redis-server.js'
import { clientStories } from '../server/client-stories.js'

clientStories(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ringspun-clients-'))
  const cluster = await Cluster.open({ dir, nodes: 3, memory: 64 * 1024 * 1024, log: () => {} })
  const server = await startRedisServer({ cluster, host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    await server.close()
    await cluster.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { server }
})

// NATS JetStream KV for comparison: three servers that are one cluster, a bucket of three replicas in files (which
// JetStream fsyncs every two minutes), through the client of its makers.

import { writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { freePorts, optional, startProgram, until } from './program.mjs'

export async function openNats(dir) {
  const [transport, jetstream, kv] = [
    await optional('@nats-io/transport-node'),
    await optional('@nats-io/jetstream'),
    await optional('@nats-io/kv'),
  ]
  if (!transport || !jetstream || !kv) return undefined
  const ports = await freePorts(6)
  const [clients, routes] = [ports.slice(0, 3), ports.slice(3)]
  const servers = []
  for (let at = 0; at < 3; at++) {
    const home = `${dir}/nats-${at}`
    await mkdir(home, { recursive: true })
    writeFileSync(`${home}/nats.conf`, settings(at, home, clients[at], routes))
    const server = await startProgram('nats-server', ['-c', `${home}/nats.conf`], home)
    if (server === undefined) return undefined
    servers.push(server)
  }
  let connection
  await until('nats-server', async () => {
    connection ??= await transport.connect({ servers: clients.map((port) => `127.0.0.1:${port}`) })
  })
  let bucket
  await until('JetStream', async () => {
    bucket = await new kv.Kvm(jetstream.jetstream(connection)).create('bench', { replicas: 3, history: 1 })
  })
  return {
    name: 'nats kv, 3 replicas',
    pids: servers.map(({ pid }) => pid),
    set: (key, value) => bucket.put(key, value),
    get: async (key) => (await bucket.get(key))?.value,
    close: async () => {
      await connection.close()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

function settings(at, home, port, routes) {
  const others = routes.filter((_, i) => i !== at).map((route) => `nats://127.0.0.1:${route}`)
  return `server_name: bench${at}
listen: 127.0.0.1:${port}
jetstream { store_dir: "${home}/store" }
cluster {
  name: bench
  listen: 127.0.0.1:${routes[at]}
  routes: [${others.map((route) => JSON.stringify(route)).join(', ')}]
}
`
}

// etcd for comparison: three members, which fsync before they answer and cannot do otherwise, through etcd3 (gRPC, as
// its users do). Reads are linearizable, its default: a read asks the leader, which asks a majority.

import { freePorts, optional, startProgram, until } from './program.mjs'

export async function openEtcd(dir) {
  const etcd3 = await optional('etcd3')
  if (!etcd3) return undefined
  const ports = await freePorts(6)
  const url = (port) => `http://127.0.0.1:${port}`
  const cluster = [0, 1, 2].map((at) => `bench${at}=${url(ports[3 + at])}`).join(',')
  const members = []
  for (let at = 0; at < 3; at++) {
    const home = `${dir}/etcd-${at}`
    const [client, peer] = [url(ports[at]), url(ports[3 + at])]
    const args = [
      '--name',
      `bench${at}`,
      '--data-dir',
      `${home}/data`,
      '--log-level',
      'error',
      '--logger',
      'zap',
    ]
    args.push('--listen-client-urls', client, '--advertise-client-urls', client)
    args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer)
    // The space that a run of the benchmark may take: etcd keeps every version until it is compacted.
    args.push('--initial-cluster', cluster, '--quota-backend-bytes', String(4 * 2 ** 30))
    const member = await startProgram('etcd', args, home)
    if (member === undefined) return undefined
    members.push(member)
  }
  const client = new etcd3.Etcd3({ hosts: ports.slice(0, 3).map(url) })
  await until('etcd', () => client.put('ready').value('yes').exec())
  return {
    name: 'etcd, 3 members',
    pids: members.map(({ pid }) => pid),
    set: (key, value) => client.put(key).value(value).exec(),
    get: (key) => client.get(key).buffer(),
    close: async () => {
      client.close()
      await Promise.all(members.map((member) => member.stop()))
    },
  }
}

// The commands that look at a running cluster, or mend it: tables for people, JSON for programs.

import { describe, expect, test } from 'vitest'
import { Connection, expectRefused, ringspun, serve, temporary } from './helpers.js'

describe('the commands of whoever runs a cluster', () => {
  test('ring, nodes, hints, repair and verify, as tables and as JSON', async () => {
    const serving = await serve('--dir', temporary(), '--nodes', '4', '--partitions', '16', '--memory', '32')
    const connection = await Connection.open(serving.port)
    await Promise.all(Array.from({ length: 100 }, (_, i) => connection.say('SET', `k${i}`, 'v')))
    const ask = (...args: string[]) => ringspun(...args, '--port', String(serving.port))

    const ring = ask('ring', '--partitions')
    expect(ring).toMatchObject({ status: 0, stderr: '' })
    expect(ring.stdout).toMatch(
      /^ring epoch 1 {2}16 partitions {2}3 copies {2}hash halfsip {2}balance 1\.000$/m,
    )
    expect(ring.stdout).toMatch(/^ *1 +4 +12$/m)
    expect(ring.stdout).toMatch(/^ *15( +\d)( \d){2}$/m)
    const asJson = JSON.parse(ask('ring', '--json').stdout) as { preferences: number[][] }
    expect(asJson.preferences).toHaveLength(16)
    for (const list of asJson.preferences) expect([...list].sort()).toEqual([1, 2, 3, 4])

    const nodes = ask('nodes')
    expect(nodes.stdout.trimEnd().split('\n')).toHaveLength(5)
    const states = JSON.parse(ask('nodes', '--json').stdout) as { node: number; state: string }[]
    expect(states.map(({ node, state }) => [node, state])).toEqual([1, 2, 3, 4].map((node) => [node, 'up']))

    expect(ask('hints').stdout).toBe('nothing is kept for any node\n')
    expect(ask('hints', '--pause', '2').stdout).toMatch(/^ *1 +2 +0 +0 B +0 ms +yes$/m)
    expect(JSON.parse(ask('hints', '--resume', '2', '--json').stdout)).toEqual([])
    expect(ask('hints', '--drop', '2')).toMatchObject({ status: 0, stderr: '' })
    expectRefused(ask('hints', '--drop', '9'), 69, /node is the number of a node, 1 2 3 4/)
    expectRefused(ask('hints', '--drop', '1', '--pause', '1'), 64, /exclude each other/)

    const verify = ask('verify')
    expect(verify).toMatchObject({ status: 0, stderr: '' })
    expect(verify.stdout).toMatch(/^all replicas are equal \(16 partitions/)
    expect(JSON.parse(ask('verify', '--json').stdout)).toMatchObject({
      equal: true,
      listed: 200,
      differing: 0,
    })
    expect(JSON.parse(ask('verify', '--trees', '--json').stdout)).toMatchObject({ equal: true, listed: 0 })
    expect(ask('repair').stdout).toMatch(/^node +pairs compared +objects mended +hints lost$/m)
    expect(ask('repair', '--now').stdout).toMatch(/^all replicas are equal[\s\S]*0 objects sent, 0 B$/m)
    await serving.end('SIGTERM')
  })
})

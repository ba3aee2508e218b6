// `ringspun status`: the nodes of a running server as a table, or as JSON; a server that is not there, or is
// something else, is said so in a sentence.

import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { ClusterStatus } from '../../dist/index.js'
import { Connection, expectRefused, ringspun, serve, temporary } from './helpers.js'

describe('status', () => {
  test('of a server that serves: a table, and the same as JSON', async () => {
    const serving = await serve('--dir', temporary(), '--nodes', '3', '--partitions', '16', '--memory', '32')
    const connection = await Connection.open(serving.port)
    await Promise.all(Array.from({ length: 100 }, (_, i) => connection.say('SET', `k${i}`, 'v')))

    const table = ringspun('status', '--port', String(serving.port))
    expect(table).toMatchObject({ status: 0, stderr: '' })
    const lines = table.stdout.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^cluster [0-9a-f]{32} {2}ringspun \d+\.\d+\.\d+ {2}up /)
    expect(lines[1]).toBe('n=3 r=2 w=2 dw=1 durability=disk  16 partitions, ring epoch 1')
    const titles = lines[3]?.trim().split(/ {2,}/) ?? []
    expect(titles.slice(0, 5)).toEqual(['node', 'state', 'life', 'partitions', 'whole'])
    const rows = lines.slice(4).map((line) => line.trim().split(/ {2,}/))
    expect(rows.map((row) => row[0])).toEqual(['1', '2', '3'])
    for (const row of rows) {
      expect(row).toHaveLength(titles.length)
      expect(['up', 'slow']).toContain(row[1])
      expect(row.slice(2, 5)).toEqual(['1', '16', 'yes'])
      expect(row[5]).toBe('100')
    }

    const json = ringspun('status', '--port', String(serving.port), '--json')
    expect(json).toMatchObject({ status: 0, stderr: '' })
    const status = JSON.parse(json.stdout) as ClusterStatus
    expect(status).toMatchObject({ n: 3, r: 2, w: 2, dw: 1, durability: 'disk', partitions: 16 })
    expect(status.nodes.map(({ node, generation }) => [node, generation])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
    await serving.end('SIGTERM')
  })

  test('where nobody listens', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const { port } = holder.address() as { port: number }
    await new Promise((resolve) => holder.close(resolve))
    expectRefused(
      ringspun('status', '--port', String(port)),
      69,
      new RegExp(`no status from 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
    )
  })
})

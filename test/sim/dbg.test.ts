import { it } from 'vitest'
import { writeFileSync } from 'node:fs'
import { limits } from '../../src/base/limits.js'
import { randomBelow } from '../../src/base/random.js'
import { settle, startWorld, nodeOf } from './helpers.js'
import { Workload } from './workload.js'
it('mixed', () => {
  const out: string[] = []
  for (const max of [10, 1000]) {
    ;(limits as any).clockEntriesMax = max
    const seed = 20336
    const world = startWorld({ seed, nodes: 4 })
    const workload = new Workload(world, {
      steps: 100, keys: 3, write: { w: 2, dw: 1, level: 'os', timeoutMs: 500 }, r: 2, regular: true,
      nemesis: (w, random) => {
        const x = random()
        if (x < 0.06) { const n = 1 + randomBelow(random, 4); if (nodeOf(w, n).host) w.kill(n) }
        else if (x < 0.09) { w.crash('process'); w.start() }
        else if (x < 0.14) w.network.cutLink(randomBelow(random, 5), 1 + randomBelow(random, 4))
        else if (x < 0.2) w.network.healAll()
        else if (x < 0.22) w.wallOffset += (random() - 0.5) * 7_200_000
      },
    })
    try {
      workload.run()
      world.network.healAll()
      settle(world)
      const r = workload.finish()
      out.push(`${max} fine ${JSON.stringify(r)}`)
    } catch (e) { out.push(`${max} ${seed} ${String(e).slice(0, 300)}`)
      const c = [...workload['seen'].entries()].map(([k, v]) => k + ' ' + v.context.clock.length).join('; ')
      out.push(c) }
  }
  writeFileSync('/tmp/mixed.txt', out.join('\n'))
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Of the simulated world (npm run coverage): the actors, and what they are made of.
    coverage: {
      provider: 'v8',
      include: ['actors', 'base', 'membership', 'merkle', 'protocol', 'quorum', 'ring', 'versions'].map(
        (folder) => `src/${folder}/**/*.ts`,
      ),
      reporter: ['text'],
    },
  },
})

// Builds dist/ from src/: tsc, plus nothing else. Kept as a script so that the build behaves the
// same on every platform (no rm -rf) and prints nothing when all is well.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(`${root}/dist`, { recursive: true, force: true })
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
const run = spawnSync(process.execPath, [tsc, '-p', `${root}/tsconfig.json`], { stdio: 'inherit' })
if (run.status !== 0) process.exit(run.status ?? 1)
const cli = `${root}/dist/cli/main.js`
if (existsSync(cli)) chmodSync(cli, 0o755)

// Makes room for a Unix socket. A server that was killed leaves its socket behind, and nobody can listen there again
// until the file is gone; one that lives must not lose it. So: whoever answers keeps it, what nobody answers at is
// removed, and what is no socket is left alone.

import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { RingspunError } from '../base/errors.js'

/** Resolves when nothing is at `path`. Between this and listening another may take it, who then wins. */
export async function freeSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new RingspunError('option-invalid', `${path} is there and is no socket`, { socket: path })
  }
  if (await isAnswered(path)) {
    throw new RingspunError('address-in-use', `somebody serves at ${path}`, { socket: path })
  }
  unlinkSync(path)
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Refused: nobody listens. Anything else (no permission, gone meanwhile) is for whoever listens to say.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}

// All commands by name. To add a family: write its file, add its table to the list below.
// Each command is found under its lower-case and its upper-case name without work; how a client spells it
// otherwise is looked up once more in lower case (`findCommand`).

import { adminCommands } from './admin.js'
import { catalogueCommands } from './catalogue.js'
import { clientCommands } from './client.js'
import type { Command, CommandTable } from './command.js'
import { configCommands } from './config.js'
import { connectionCommands } from './connection.js'
import { expiryCommands } from './expiry.js'
import { infoCommands } from './info.js'
import { keyspaceCommands } from './keyspace.js'
import { refusedCommands } from './refused.js'
import { ringspunCommands } from './ringspun.js'
import { stringCommands } from './strings.js'

const families: readonly (readonly Command[])[] = [
  connectionCommands,
  clientCommands,
  catalogueCommands,
  infoCommands,
  configCommands,
  stringCommands,
  expiryCommands,
  keyspaceCommands,
  ringspunCommands,
  adminCommands,
  refusedCommands,
]

export function commandTable(): CommandTable {
  const table = new Map<string, Command>()
  for (const family of families) {
    for (const command of family) {
      if (table.has(command.name)) throw new Error(`two commands are named ${command.name}`)
      table.set(command.name, command)
      table.set(command.name.toUpperCase(), command)
    }
  }
  return table
}

/** No name is longer. */
const nameBytesMax = 64

export function findCommand(table: CommandTable, name: string): Command | undefined {
  return table.get(name) ?? (name.length > nameBytesMax ? undefined : table.get(name.toLowerCase()))
}

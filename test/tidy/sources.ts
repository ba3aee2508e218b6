// Reads the sources of the house once and answers what the rules of test/tidy.test.ts ask about them. A real
// parser does it (the one that vitest brings), so that a word in a comment or a text is never taken for code.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'vitest/node'

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface Source {
  /** From the root, with slashes: src/base/heap.ts */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly program: Node
}

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Every file of these folders with one of these endings, sorted; folders that are not there have none. */
export function filesOf(folders: readonly string[], endings: readonly string[]): string[] {
  const found: string[] = []
  for (const folder of folders) {
    let entries: string[]
    try {
      entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    } catch {
      continue
    }
    for (const entry of entries) {
      if (endings.some((ending) => entry.endsWith(ending))) found.push(slashed(join(folder, entry)))
    }
  }
  return found.sort()
}

function slashed(path: string): string {
  return path.replaceAll('\\', '/')
}

const known = new Map<string, Source>()

export function sourceOf(path: string): Source {
  let source = known.get(path)
  if (source === undefined) {
    const text = readFileSync(join(root, path), 'utf8')
    const lang = path.endsWith('.d.ts') ? 'dts' : path.endsWith('.ts') ? 'ts' : 'js'
    const program = parseAst(text, { lang }, path) as unknown as Node
    source = { path, text, lines: text.replace(/\n$/, '').split('\n'), program }
    known.set(path, source)
  }
  return source
}

/** `file:line` of a place, for messages that an editor can open. */
export function place(source: Source, at: Node | number): string {
  const offset = typeof at === 'number' ? at : at.start
  return `${source.path}:${lineOf(source, offset)}`
}

export function lineOf(source: Source, offset: number): number {
  let line = 1
  for (let i = source.text.indexOf('\n'); i >= 0 && i < offset; i = source.text.indexOf('\n', i + 1)) line++
  return line
}

/** Visits every node, parents first. */
export function visit(
  node: Node,
  see: (node: Node, parent: Node | undefined, field: string) => void,
  parent?: Node,
  field = '',
): void {
  see(node, parent, field)
  for (const name of Object.keys(node)) {
    const value = node[name]
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item, see, node, name)
    } else if (isNode(value)) {
      visit(value, see, node, name)
    }
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

export interface Import {
  readonly at: Node
  readonly from: string
  /** The names that are taken; empty for `import 'x'`, `import * as` and `import()`. */
  readonly names: readonly string[]
  readonly isExport: boolean
}

/** Everything that the file takes from another: import, export from, import(). */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  visit(source.program, (node) => {
    const isExport = node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration'
    if (node.type !== 'ImportDeclaration' && node.type !== 'ImportExpression' && !isExport) return
    const from = node['source']
    if (!isNode(from)) return
    const specifiers = (node['specifiers'] ?? []) as readonly Node[]
    const names = specifiers.flatMap((specifier) => nameOf(specifier['imported']) ?? [])
    found.push({ at: node, from: String(from['value']), names, isExport })
  })
  return found
}

/** The name of an identifier, or the value of a literal. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (typeof node['name'] === 'string') return node['name']
  return typeof node['value'] === 'string' ? node['value'] : undefined
}

/** The file that a relative import means: `./heap.js` in src/base/x.ts is src/base/heap.ts. */
export function resolveImport(source: Source, from: string): string {
  const path = slashed(normalize(join(dirname(source.path), from)))
  return path.replace(/\.js$/, '.ts')
}

export interface FunctionFound {
  readonly node: Node
  readonly name: string
  readonly lines: number
}

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

/** Every function with the lines that it takes; callbacks of `describe` are chapters, not functions. */
export function functionsOf(source: Source): FunctionFound[] {
  const found: FunctionFound[] = []
  visit(source.program, (node, parent) => {
    if (!functionTypes.has(node.type) || isChapter(parent)) return
    const lines = lineOf(source, node.end) - lineOf(source, node.start) + 1
    const name = nameOf(node['id']) ?? nameOf(parent?.['key']) ?? nameOf(parent?.['id']) ?? 'a function'
    found.push({ node, name, lines })
  })
  return found
}

function isChapter(parent: Node | undefined): boolean {
  if (parent?.type !== 'CallExpression') return false
  const callee = parent['callee'] as Node
  const name = nameOf(callee) ?? nameOf(callee['object']) ?? nameOf((callee['callee'] as Node)?.['object'])
  return name === 'describe'
}

/** Names of the functions that a file declares at its top. */
export function declaredFunctions(source: Source): string[] {
  const body = source.program['body'] as readonly Node[]
  return body.flatMap((statement) => {
    const declaration = isNode(statement['declaration']) ? statement['declaration'] : statement
    return declaration.type === 'FunctionDeclaration' ? (nameOf(declaration['id']) ?? []) : []
  })
}

export function fileName(path: string): string {
  return basename(path)
}

export function folderOf(path: string): string {
  return slashed(relative('.', dirname(path)))
}

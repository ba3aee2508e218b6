// The rules of the house as a test: what imports what, what is pure, how long things are, what they are
// called. Every failure names file and line and the remedy. The tables are in test/tidy/rules.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorTable } from '../src/base/errors.js'
import { limits } from '../src/base/limits.js'
import { version } from '../src/version.js'
import {
  defaultExportAllowed,
  fileLinesMax,
  functionLinesMax,
  guardedModules,
  impureMembers,
  impureNames,
  isPure,
  type Layer,
  layerOf,
  layers,
  openingLinesMax,
  pureImports,
} from './tidy/rules.js'
import {
  declaredFunctions,
  fileName,
  filesOf,
  functionsOf,
  importsOf,
  isNode,
  type Node,
  nameOf,
  place,
  resolveImport,
  root,
  type Source,
  sourceOf,
  visit,
} from './tidy/sources.js'

const src = filesOf(['src'], ['.ts']).map(sourceOf)
const others = filesOf(['test', 'bench', 'scripts'], ['.ts', '.mjs']).map(sourceOf)
const everything = [...src, ...others]
const pure = src.filter(({ path }) => isPure(path))

/** One line per fault, none expected. */
function expectNone(faults: readonly string[]): void {
  expect(faults.join('\n')).toBe('')
}

describe('what imports what', () => {
  it('every source file is in a folder of the plan', () => {
    expect(src.length).toBeGreaterThan(50)
    const lost = src.filter(({ path }) => layerOf(path) === undefined)
    expectNone(
      lost.map(({ path }) => `${path}:1 is in no folder of test/tidy/rules.ts: move it, or add the folder`),
    )
  })

  it('imports point upward only', () => {
    const faults: string[] = []
    for (const source of src) {
      const own = layers.indexOf(layerOf(source.path) as Layer)
      for (const { from, at } of importsOf(source)) {
        if (!from.startsWith('.')) continue
        const target = resolveImport(source, from)
        const layer = layerOf(target)
        if (layer !== undefined && layers.indexOf(layer) <= own) continue
        faults.push(
          `${place(source, at)} imports ${target}, which stands below it: hand it in, or move what is shared up`,
        )
      }
    }
    expectNone(faults)
  })

  it('no file imports itself in a circle', () => {
    expectNone(
      circles().map(
        (circle) =>
          `${circle[0]}:1 is in a circle: ${circle.join(' -> ')}: move what is shared into a file of its own`,
      ),
    )
  })

  it('relative imports end in .js and name a file that is there', () => {
    const paths = new Set(everything.map(({ path }) => path))
    const faults: string[] = []
    for (const source of src) {
      for (const { from, at } of importsOf(source)) {
        if (!from.startsWith('.')) continue
        if (!from.endsWith('.js')) faults.push(`${place(source, at)} imports ${from}: end it in .js`)
        else if (!paths.has(resolveImport(source, from)))
          faults.push(`${place(source, at)} imports ${from}, which is not there`)
      }
    }
    expectNone(faults)
  })

  it('threads, files, sockets and native code are touched where the plan says, nowhere else', () => {
    const faults: string[] = []
    for (const source of src) {
      for (const { from, at } of importsOf(source)) {
        const allowed = guardedModules[from]
        if (allowed === undefined || allowed.includes(layerOf(source.path) as Layer)) continue
        faults.push(
          `${place(source, at)} imports ${from}: only ${allowed.join(' and ')} may; have it handed in`,
        )
      }
    }
    expectNone(faults)
  })

  it('only the public face gathers the exports of others', () => {
    const faults: string[] = []
    for (const source of src) {
      if (source.path === 'src/index.ts') continue
      for (const { isExport, at } of importsOf(source)) {
        if (isExport) faults.push(`${place(source, at)} exports what is another file's: import it from there`)
      }
    }
    expectNone(faults)
  })
})

/** Circles of imports, types included, each once. */
function circles(): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const trail: string[] = []
  const walk = (path: string) => {
    const at = trail.indexOf(path)
    if (at >= 0) found.push([...trail.slice(at), path])
    if (at >= 0 || done.has(path)) return
    trail.push(path)
    const source = sourceOf(path)
    for (const { from } of importsOf(source)) if (from.startsWith('.')) walk(resolveImport(source, from))
    trail.pop()
    done.add(path)
  }
  for (const { path } of src) walk(path)
  return found
}

describe('what is pure', () => {
  it('the pure folders import nothing that has effects', () => {
    const faults: string[] = []
    for (const source of pure) {
      for (const { from, names, at } of importsOf(source)) {
        if (from.startsWith('.')) continue
        const allowed = pureImports[from] ?? []
        const wrong = names.length === 0 ? [from] : names.filter((name) => !allowed.includes(name))
        if (wrong.length === 0) continue
        faults.push(
          `${place(source, at)} takes ${wrong.join(', ')} from ${from}: have it handed in (runtime/ports.ts)`,
        )
      }
    }
    expectNone(faults)
  })

  it('the pure folders name no clock, timer, promise or randomness', () => {
    expect(pure.length).toBeGreaterThan(30)
    expectNone(pure.flatMap(impurities))
  })
})

function impurities(source: Source): string[] {
  const faults: string[] = []
  const fault = (node: Node, what: string, remedy: string) =>
    faults.push(`${place(source, node)} uses ${what}: ${remedy}`)
  visit(source.program, (node, parent, field) => {
    if (node.type === 'Identifier') {
      const name = nameOf(node) as string
      const isMember = (field === 'property' || field === 'key') && parent?.['computed'] !== true
      const remedy = Object.hasOwn(impureNames, name) && !isMember ? impureNames[name] : undefined
      if (remedy !== undefined) fault(node, name, remedy)
    } else if (node.type === 'MemberExpression') {
      const [object, member] = [nameOf(node['object']), nameOf(node['property'])]
      for (const [banned, bannedMember, remedy] of impureMembers) {
        if (object === banned && member === bannedMember) fault(node, `${banned}.${bannedMember}`, remedy)
      }
      if (member === 'localeCompare') fault(node, 'localeCompare', 'compare with < and >: locales differ')
    } else if (node['async'] === true || node.type === 'AwaitExpression') {
      fault(node, 'async', 'a handler never waits: answer by a message or a callback')
    }
  })
  return faults
}

describe('how long things are', () => {
  it(`no file has more than ${fileLinesMax} lines`, () => {
    const long = everything.filter(({ lines }) => lines.length > fileLinesMax)
    expectNone(
      long.map(
        ({ path, lines }) =>
          `${path}:${fileLinesMax} has ${lines.length} lines: give a noun or a verb of it a file of its own`,
      ),
    )
  })

  it(`no function has more than ${functionLinesMax} lines`, () => {
    const faults = everything.flatMap((source) =>
      functionsOf(source)
        .filter(({ lines }) => lines > functionLinesMax)
        .map(
          ({ node, name, lines }) =>
            `${place(source, node)} ${name} has ${lines} lines: name a step of it and take it out`,
        ),
    )
    expectNone(faults)
  })
})

describe('how things look', () => {
  it('every file opens with a comment that says what it is for', () => {
    const faults: string[] = []
    for (const { path, lines } of everything) {
      const begin = lines[0]?.startsWith('#!') ? 1 : 0
      const length = lines.slice(begin).findIndex((line) => !/^(\/\/|\/?\*| \*)/.test(line))
      if (length === 0)
        faults.push(
          `${path}:${begin + 1} opens without a comment: say its job, the section of the paper, what it keeps`,
        )
      if (length > openingLinesMax)
        faults.push(`${path}:1 opens with ${length} lines of comment: ${openingLinesMax} are enough`)
    }
    expectNone(faults)
  })

  it('files are named in kebab-case', () => {
    const good = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.(ts|mjs)$/
    const bad = everything.filter(({ path }) => !good.test(fileName(path)))
    expectNone(bad.map(({ path }) => `${path}:1 is not in kebab-case: rename it`))
  })

  it('there are no default exports, enums, namespaces or parameter properties', () => {
    const remedies: Readonly<Record<string, string>> = {
      ExportDefaultDeclaration: 'has a default export: export it by name',
      TSEnumDeclaration: 'has an enum: use a union of texts',
      TSModuleDeclaration: 'has a namespace: a file is one',
      TSParameterProperty: 'has a parameter property: declare the field and assign it',
    }
    const faults: string[] = []
    for (const source of src) {
      visit(source.program, (node) => {
        const remedy = remedies[node.type]
        const allowed = node.type === 'ExportDefaultDeclaration' && defaultExportAllowed.includes(source.path)
        const ambient = source.path.endsWith('.d.ts')
        if (remedy !== undefined && !allowed && !ambient) faults.push(`${place(source, node)} ${remedy}`)
      })
    }
    expectNone(faults)
  })

  it('nothing writes to the console, and no breakpoint or lonely test is left behind', () => {
    const faults: string[] = []
    for (const source of everything) {
      const isScript = !source.path.startsWith('src/') && !source.path.startsWith('test/')
      visit(source.program, (node) => {
        if (node.type === 'DebuggerStatement')
          faults.push(`${place(source, node)} has a breakpoint: remove it`)
        if (node.type !== 'MemberExpression') return
        const [object, member] = [nameOf(node['object']), nameOf(node['property'])]
        if (object === 'console' && !isScript)
          faults.push(`${place(source, node)} writes to the console: use the log that was handed in`)
        if (member === 'only' && ['it', 'test', 'describe'].includes(object ?? '')) {
          faults.push(`${place(source, node)} runs alone: remove .only`)
        }
      })
    }
    expectNone(faults)
  })
})

describe('one word finds sender, type and handler', () => {
  const messages = messagesOf(filesOf(['src/protocol'], ['.ts']).map(sourceOf))
  const understood = unionsOf(sourceOf('src/protocol/envelope.ts'))

  it('a message type is called as its interface', () => {
    expect(messages.size).toBeGreaterThan(20)
    const wrong = [...messages].filter(([name, { type }]) => pascal(type) !== name)
    expectNone(
      wrong.map(([name, { type, at }]) => `${at} ${name} has the type '${type}': call one as the other`),
    )
  })

  it('every message has somebody who understands it', () => {
    const heard = new Set([...understood.values()].flat())
    const lost = [...messages].filter(([name]) => !heard.has(name))
    expectNone(
      lost.map(
        ([name, { at }]) =>
          `${at} nobody understands ${name}: add it to a union in src/protocol/envelope.ts, or remove it`,
      ),
    )
  })

  it('a message is handled by the function of its name, in the folder of its actor', () => {
    const faults: string[] = []
    for (const actor of ['vnode', 'gateway', 'supervisor', 'courier', 'gossip']) {
      const names = understood.get(`${pascal(actor)}Message`) ?? []
      expect(names.length, actor).toBeGreaterThan(0)
      const files = filesOf([`src/actors/${actor}`], ['.ts']).map(sourceOf)
      const handlers = new Set(files.flatMap(declaredFunctions))
      for (const name of names) {
        const type = messages.get(name)?.type ?? ''
        const wanted = camel(type)
        if (!handlers.has(wanted))
          faults.push(
            `src/actors/${actor}/${actor}.ts:1 '${type}' has no handler: write the function ${wanted}`,
          )
      }
    }
    expectNone(faults)
  })
})

interface MessageFound {
  readonly type: string
  readonly at: string
}

/** Interfaces with a `type` of one text, by name. */
function messagesOf(files: readonly Source[]): Map<string, MessageFound> {
  const found = new Map<string, MessageFound>()
  for (const source of files) {
    visit(source.program, (node) => {
      if (node.type !== 'TSInterfaceDeclaration') return
      const { body } = node['body'] as unknown as { body: readonly Node[] }
      for (const member of body) {
        const annotation = (member['typeAnnotation'] as Node | undefined)?.['typeAnnotation'] as
          | Node
          | undefined
        const literal = annotation?.['literal']
        if (nameOf(member['key']) !== 'type' || !isNode(literal)) continue
        found.set(nameOf(node['id']) as string, { type: nameOf(literal) as string, at: place(source, node) })
      }
    })
  }
  return found
}

/** Unions by name, as the names of their members; a union within a union is laid open. */
function unionsOf(source: Source): Map<string, string[]> {
  const found = new Map<string, string[]>()
  visit(source.program, (node) => {
    if (node.type !== 'TSTypeAliasDeclaration') return
    const value = node['typeAnnotation'] as Node
    const members = value.type === 'TSUnionType' ? (value['types'] as readonly Node[]) : [value]
    const names = members.flatMap((member) => nameOf(member['typeName']) ?? [])
    found.set(nameOf(node['id']) as string, names)
  })
  for (const [name, members] of found)
    found.set(
      name,
      members.flatMap((member) => found.get(member) ?? member),
    )
  return found
}

function pascal(kebab: string): string {
  return kebab.replace(/(^|-)([a-z0-9])/g, (_all, _dash, letter: string) => letter.toUpperCase())
}

function camel(kebab: string): string {
  return kebab.replace(/-([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase())
}

describe('one thing in one place', () => {
  const texts = src.filter(({ path }) => path !== 'src/base/errors.ts' && path !== 'src/base/limits.ts')

  it('the version is that of package.json, and the changelog knows it', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(version).toBe(manifest.version)
    expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`## [${version}]`)
  })

  it('every error code is raised somewhere', () => {
    const raised = new Set<string>()
    for (const { program } of texts) {
      visit(program, (node) => {
        if (node.type === 'Literal' && typeof node['value'] === 'string') raised.add(node['value'])
      })
    }
    const idle = Object.keys(errorTable).filter((code) => !raised.has(code))
    expectNone(idle.map((code) => `src/base/errors.ts:1 nothing raises '${code}': remove it from the table`))
  })

  it('every limit is kept by somebody', () => {
    const idle = Object.keys(limits).filter(
      (name) => !texts.some(({ text }) => text.includes(`limits.${name}`)),
    )
    expectNone(idle.map((name) => `src/base/limits.ts:1 nothing keeps ${name}: enforce it, or remove it`))
  })
})

// What the pool loads into a node's thread. It is CommonJS on purpose: the pool loads by `require`, and on Node 20 and
// 22 a thread that is terminated while `require` links ES modules takes the whole process with it ("IsGraphAsync must
// be used on an instantiated module"). `import()` does the same work and does not (test/assumptions).

module.exports = async (task: import('./node-thread.js').NodeTask): Promise<void> => {
  const { live } = await import('./node-thread.js')
  return live(task)
}

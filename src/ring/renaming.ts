// Which node takes which part of a plan that was made from nothing, so that most partitions stay where they are:
// the assignment problem, by the Hungarian method with potentials (Kuhn; Munkres). At most 64 by 64: exact.

/**
 * `gains[row][column]` is what it brings to give the column to the row. The column of each row, all different,
 * so that the sum is the largest possible. Rows and columns are equally many.
 */
export function assign(gains: readonly (readonly number[])[]): number[] {
  const size = gains.length
  const rowPotential = new Float64Array(size + 1)
  const columnPotential = new Float64Array(size + 1)
  // Row of each column, from 1; 0 is none, and column 0 is where a new row starts.
  const rowOf = new Int32Array(size + 1)
  const cameFrom = new Int32Array(size + 1)
  for (let row = 1; row <= size; row++) {
    rowOf[0] = row
    const slack = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY)
    const seen = new Uint8Array(size + 1)
    let column = 0
    while (rowOf[column] !== 0) {
      seen[column] = 1
      const current = rowOf[column] as number
      let next = 0
      let least = Number.POSITIVE_INFINITY
      for (let to = 1; to <= size; to++) {
        if (seen[to] === 1) continue
        const cost = -((gains[current - 1] as readonly number[])[to - 1] as number)
        const reduced = cost - (rowPotential[current] as number) - (columnPotential[to] as number)
        if (reduced < (slack[to] as number)) {
          slack[to] = reduced
          cameFrom[to] = column
        }
        if ((slack[to] as number) < least) {
          least = slack[to] as number
          next = to
        }
      }
      for (let to = 0; to <= size; to++) {
        if (seen[to] === 1) {
          const owner = rowOf[to] as number
          rowPotential[owner] = (rowPotential[owner] as number) + least
          columnPotential[to] = (columnPotential[to] as number) - least
        } else slack[to] = (slack[to] as number) - least
      }
      column = next
    }
    while (column !== 0) {
      const back = cameFrom[column] as number
      rowOf[column] = rowOf[back] as number
      column = back
    }
  }
  const columnOf = new Array<number>(size)
  for (let column = 1; column <= size; column++) columnOf[(rowOf[column] as number) - 1] = column - 1
  return columnOf
}

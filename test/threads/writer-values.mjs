// The keys and values of the process that is killed: made from a number, so that whoever reads them back can
// make them again. Values of many lengths; what is stored is looked at byte by byte.

export function keyOf(round, number) {
  return `round ${round} put ${number}`
}

export function makeValue(round, number) {
  return `${number} of ${round} `.repeat(1 + ((number * 7) % 23))
}

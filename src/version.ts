// The version of the package, for status, INFO and the data directory. test/tidy holds it against package.json.

export const version = '0.1.0'

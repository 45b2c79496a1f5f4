// Where the recorded cases are, and the rows that every SDK is held against.

import { readCases } from "../sdk/testing.js";

/** The rows of a file of the repository's `tests/golden`. */
export function goldenCases(name) {
  // The peer knows no other way than its own.
  return readCases(new URL(`../../../tests/golden/${name}`, import.meta.url)).map((row) =>
    row.settings ? { ...row, settings: { ...row.settings, unescapedHtml: true } } : row,
  );
}

/** The rows of a file of `guest-sdk/vectors`. */
export function vectors(name) {
  return readCases(new URL(`../../vectors/${name}`, import.meta.url));
}

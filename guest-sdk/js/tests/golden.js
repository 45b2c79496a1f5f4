// Where the recorded cases are: the folder `SENDBOX_GOLDEN`, else `shared/golden` beside the repository.

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { readCases } from "../sdk/testing.js";

const folder = process.env.SENDBOX_GOLDEN
  ? pathToFileURL(`${process.env.SENDBOX_GOLDEN}/`)
  : new URL("../../../../shared/golden/", import.meta.url);

/** The rows of a file there. Where it is absent the test says so, and there are none. */
export function goldenCases(name, t) {
  const file = new URL(name, folder);
  if (!existsSync(file)) {
    t.skip(`no ${name} in ${folder.pathname}`);
    return [];
  }
  // The peer knows no other way than its own.
  return readCases(file).map((row) =>
    row.settings ? { ...row, settings: { ...row.settings, unescapedHtml: true } } : row,
  );
}

// Makes one module of a project: the connector, what it imports, and what the project's files say of it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The contract's interfaces, as a module imports them. */
const INTERFACE = /^sendbox:connector\/([a-z]+)@/;

const COMPONENT = fileURLToPath(new URL("component.js", import.meta.url));

/**
 * Bundles `entry` of the project in `folder`. Returns the module's `code`, which of the host's `interfaces`
 * it imports, and whether it `fetches`: whether the name of the engine's HTTP client stands in it.
 */
export async function bundle(esbuild, entry, folder) {
  const read = (name) => readFile(join(folder, name), "utf8");
  const project = {
    version: JSON.parse(await read("package.json")).version,
    settingsSchema: await read("settings.schema.json"),
    readme: await read("README.md"),
  };
  const contents = `
    import connector from ${JSON.stringify(entry)};
    import { component } from ${JSON.stringify(COMPONENT)};
    export const sendMessage = component(connector, ${JSON.stringify(project)});`;
  const { metafile, outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: folder },
    outfile: "connector.js",
    write: false,
    metafile: true,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["sendbox:*"],
    charset: "utf8",
    legalComments: "none",
  });
  const [{ imports }] = Object.values(metafile.outputs);
  const interfaces = imports.flatMap(({ path }) => INTERFACE.exec(path)?.[1] ?? []);
  const [{ text: code }] = outputFiles;
  const { code: bare } = await esbuild.transform(code, { minifyWhitespace: true, charset: "utf8" });
  return { code, interfaces, fetches: /\bfetch\b/.test(bare) };
}

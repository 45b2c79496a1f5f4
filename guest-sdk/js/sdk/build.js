// Makes a component of a project: `node sdk/build.js ENTRY OUTPUT WIT`, in the project's folder.
//
// The connector and what it imports become one module, `connector.js` beside OUTPUT; JavaScript's engine
// runs that module's top level once, and its memory at that moment is what the component holds.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Exit status where the toolchain is not installed. */
const NOT_INSTALLED = 3;

/** The contract's interfaces, as a module imports them. */
const INTERFACE = /^sendbox:connector\/([a-z]+)@/;

const [entry, output, wit] = process.argv.slice(2).map((path) => resolve(path));
if (!wit) fail(2, "usage: node build.js ENTRY OUTPUT WIT");

const { build } = await tool("esbuild");
const { componentize } = await tool("@bytecodealliance/componentize-js");

await mkdir(dirname(output), { recursive: true });
const bundle = join(dirname(output), "connector.js");
const { code, interfaces } = await bundled(bundle);
const contract = await contractOf(interfaces);
try {
  const { component } = await componentize({
    sourcePath: bundle,
    witPath: contract,
    worldName: "project",
    disableFeatures: usesFetch(code) ? ["fetch-event"] : ["fetch-event", "http"],
  });
  await writeFile(output, component);
} catch (error) {
  fail(1, error.message);
} finally {
  await rm(contract, { recursive: true });
}

/** Bundles the project into one module; tells which of the host's interfaces are left to import. */
async function bundled(outfile) {
  const sdk = dirname(fileURLToPath(import.meta.url));
  const { version } = JSON.parse(await readFile("package.json", "utf8"));
  const text = async (path) => JSON.stringify(await readFile(path, "utf8"));
  const contents = `
    import connector from ${JSON.stringify(entry)};
    import { component } from ${JSON.stringify(join(sdk, "component.js"))};
    export const sendMessage = component(connector, {
      version: ${JSON.stringify(version)},
      settingsSchema: ${await text("settings.schema.json")},
      readme: ${await text("README.md")},
    });`;
  const { metafile } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["sendbox:*"],
    charset: "utf8",
    legalComments: "none",
    metafile: true,
  }).catch(() => process.exit(1));
  const [{ imports }] = Object.values(metafile.outputs);
  const interfaces = imports.flatMap(({ path }) => INTERFACE.exec(path)?.[1] ?? []);
  return { code: await readFile(outfile, "utf8"), interfaces };
}

/** A copy of the contract with a world of just these interfaces, so that the imports say what is used. */
async function contractOf(interfaces) {
  const folder = await mkdtemp(join(tmpdir(), "contract-"));
  await cp(wit, folder, { recursive: true });
  const imports = interfaces.map((name) => `import ${name};`).join(" ");
  const world = `package sendbox:connector@0.1.0;\nworld project { ${imports} export send-message; }\n`;
  await writeFile(join(folder, "project.wit"), world);
  return folder;
}

/** Whether the name of the engine's HTTP client stands anywhere outside comments. */
function usesFetch(code) {
  return /\bfetch\b/.test(code.replace(/^\s*\/\/.*$/gm, ""));
}

async function tool(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return fail(NOT_INSTALLED, `${name} is not installed: run \`npm ci\``);
  }
}

function fail(status, words) {
  console.error(words);
  process.exit(status);
}

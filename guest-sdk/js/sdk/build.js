// Makes a component of a project: `node sdk/build.js ENTRY OUTPUT WIT`, in the project's folder.
//
// The connector and what it imports become one module, `connector.js` beside OUTPUT; JavaScript's engine
// runs that module's top level once, and its memory at that moment is what the component holds.

import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { bundle } from "./bundle.js";

/** Exit status where the toolchain is not installed. */
const NOT_INSTALLED = 3;

const [entry, output, wit] = process.argv.slice(2).map((path) => resolve(path));
if (!wit) fail(2, "usage: node build.js ENTRY OUTPUT WIT");

const esbuild = await tool("esbuild");
const { componentize } = await tool("@bytecodealliance/componentize-js");

await mkdir(dirname(output), { recursive: true });
const sourcePath = join(dirname(output), "connector.js");
// Its errors are on standard error already.
const module = await bundle(esbuild, entry, process.cwd()).catch(() => process.exit(1));
await writeFile(sourcePath, module.code);
const contract = await contractOf(module.interfaces);
try {
  const { component } = await componentize({
    sourcePath,
    witPath: contract,
    worldName: "project",
    disableFeatures: module.fetches ? ["fetch-event"] : ["fetch-event", "http"],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await rm(contract, { recursive: true });
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

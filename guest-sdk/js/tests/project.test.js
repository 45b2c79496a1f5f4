// A new project as an author gets it, and what the build makes of projects.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const installed = (t, name) => {
  if (existsSync(join(root, "node_modules", name))) return true;
  t.skip(`${name} is not installed: run \`npm ci\``);
  return false;
};

/** A folder that goes when the test ends. */
function folderFor(t) {
  const folder = mkdtempSync(join(tmpdir(), "connector-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The template with its placeholders filled in, as `sendbox connector new` does. */
function newProject(t) {
  const folder = folderFor(t);
  cpSync(join(root, "template"), folder, { recursive: true });
  cpSync(join(root, "sdk"), join(folder, "sdk"), { recursive: true });
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || file.startsWith(join(folder, "sdk"))) continue;
    const text = readFileSync(file, "utf8");
    writeFileSync(
      file,
      text.replaceAll("{{name}}", "acme-mail").replaceAll("{{title}}", "Acme Mail"),
    );
  }
  return folder;
}

/** Runs Node.js, and says what it said where it fails. */
function node(folder, ...args) {
  // A test runner inside a test runner reports to the outer one unless it is told otherwise.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout + stderr);
}

test("a new project passes its own tests before anything is installed", (t) => {
  node(newProject(t), "--test");
});

test("the types hold for what an author writes", (t) => {
  if (!installed(t, "typescript")) return;
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  node(root, tsc, "--project", "tests");
});

test("several files, TypeScript among them, become one module", async (t) => {
  if (!installed(t, "esbuild")) return;
  const folder = newProject(t);
  const source = readFileSync(join(folder, "src/connector.js"), "utf8");
  mkdirSync(join(folder, "src/parts"));
  writeFileSync(join(folder, "src/parts/names.ts"), "export const id: string = 'typed-mail';");
  const typed = `import { id } from "./parts/names";\n${source.replace('"acme-mail"', "id as string")}`;
  writeFileSync(join(folder, "src/connector.ts"), typed);

  const { bundle } = await import("../sdk/bundle.js");
  const esbuild = await import("esbuild");
  const made = await bundle(esbuild, join(folder, "src/connector.ts"), folder);
  assert.match(made.code, /typed-mail/);
  assert.match(made.code, /export \{\s*sendMessage\s*\}/);
  assert.deepEqual(made.interfaces, ["http", "log"]);
  assert.equal(made.fetches, false);
});

test("a component imports the HTTP client's interface only where the code names it", async (t) => {
  if (!installed(t, "esbuild")) return;
  const { bundle } = await import("../sdk/bundle.js");
  const esbuild = await import("esbuild");
  const example = join(root, "examples/http-sms");
  const made = await bundle(esbuild, join(example, "src/connector.js"), example);
  assert.equal(made.fetches, true);
});

test("a component imports the interfaces to sign and to submit only where the code imports them", async (t) => {
  if (!installed(t, "esbuild")) return;
  const folder = newProject(t);
  const entry = join(folder, "src/connector.js");
  const source = readFileSync(entry, "utf8");
  const { bundle } = await import("../sdk/bundle.js");
  const esbuild = await import("esbuild");
  for (const [imported, interfaces] of [
    ['import { compose } from "../sdk/mail.js"; globalThis.used = compose;', ["http", "log"]],
    ['import { submit } from "../sdk/smtp.js"; globalThis.used = submit;', ["http", "log", "smtp"]],
    ['import { Key } from "../sdk/signing.js"; globalThis.used = Key;', ["http", "log", "signing"]],
    [
      'import { sigv4 } from "../sdk/sigv4.js"; globalThis.used = sigv4;',
      ["http", "log", "signing"],
    ],
  ]) {
    writeFileSync(entry, `${imported}\n${source}`);
    const made = await bundle(esbuild, entry, folder);
    assert.deepEqual(made.interfaces.sort(), interfaces);
  }
});

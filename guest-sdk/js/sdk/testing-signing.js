// The native test kit for connectors that sign: stands in for the host's `signing` interface. Import it
// before the connector, and the connector with `await import(…)`: Node.js knows no such interface before.

import { register } from "node:module";

const HOST = new URL("testing-key.js", import.meta.url).href;
const HOOKS = `export const resolve = (name, context, next) => name.startsWith("sendbox:connector/signing@")
  ? { url: ${JSON.stringify(HOST)}, shortCircuit: true }
  : next(name, context);`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

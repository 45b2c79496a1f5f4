// The native test kit for connectors that submit mail: stands in for the host's `smtp` interface. Import it
// before the connector, and the connector with `await import(…)`: Node.js knows no such interface before.

import { register } from "node:module";

import { send } from "./testing.js";

const HOST = "export const submit = (...mail) => globalThis.standInForSmtp(...mail);";
const HOOKS = `export const resolve = (name, context, next) => name.startsWith("sendbox:connector/smtp@")
  ? { url: ${JSON.stringify(`data:text/javascript,${HOST}`)}, shortCircuit: true }
  : next(name, context);`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

/**
 * Sends a message, once, to a mail server that answers with a reply, or fails with an error as the contract
 * has it. A connector that asks for an access token first gets `response`, as of `send`. Returns what was
 * submitted, and the receipt or the failure.
 */
export async function submitted(
  connector,
  settings,
  message,
  answer = { code: 250, text: "queued" },
  response = undefined,
) {
  const seen = {};
  globalThis.standInForSmtp = (server, envelope, data) => {
    seen.submission = { server, envelope, data: new TextDecoder().decode(data) };
    if (answer.tag) throw Object.assign(new Error(answer.tag), { payload: answer });
    return answer;
  };
  try {
    const { receipt, failure } = await send(connector, settings, message, response);
    return { ...seen, receipt, failure };
  } finally {
    delete globalThis.standInForSmtp;
  }
}

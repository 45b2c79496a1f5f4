// The four things a connector says, and the one path that turns them into a send.

import { Failure } from "./failure.js";
import { HttpRequest } from "./http.js";
import { parseSettings } from "./settings.js";

/** Parts that every connector has, and those that it may have. */
const PARTS = ["about", "settings", "request", "receipt", "failure", "send"];

/** What a connector must say of itself. */
const ABOUT = ["id", "channel", "titles", "descriptions"];

/**
 * A connector: one provider, one channel. Its parts are free of I/O; `send` below does the rest. One
 * that speaks to its provider itself, with `fetch`, has `send` in place of `request`.
 */
export function connector(parts) {
  for (const name of Object.keys(parts)) {
    if (!PARTS.includes(name)) throw new TypeError(`a connector has no part \`${name}\``);
  }
  for (const name of ["about", "settings", parts.send ? "send" : "request"]) {
    if (!parts[name]) throw new TypeError(`a connector needs the part \`${name}\``);
  }
  for (const name of ABOUT) {
    if (!parts.about[name]) throw new TypeError(`\`about\` needs \`${name}\``);
  }
  return {
    receipt: () => ({}),
    failure: (response) => Failure.ofResponse(response),
    ...parts,
  };
}

/**
 * Sends one message, once, through `exchange`: a function from request to response that throws a
 * `Failure` where there is none. Returns the receipt, or its promise where the connector speaks to its
 * provider itself or makes its request in steps; throws a `Failure` without the message's recipient, code and
 * link in its words.
 */
export function send(connector, settings, message, exchange) {
  const fail = (error) => {
    const failure = Failure.ofException(error);
    failure.message = message.conceal(failure.message);
    throw failure;
  };
  try {
    const read = parseSettings(connector.settings, settings);
    if (settings.includes('"unescapedHtml"')) {
      message.unescapedHtml = JSON.parse(settings).unescapedHtml === true;
    }
    message.check();
    const sent = connector.send
      ? Promise.resolve(connector.send(read, message))
      : attempt(connector, read, message, exchange);
    return sent instanceof Promise ? sent.then(receiptOf).catch(fail) : receiptOf(sent);
  } catch (error) {
    return fail(error);
  }
}

function attempt(connector, settings, message, exchange) {
  const finish = (request) => {
    if (!(request instanceof HttpRequest)) throw new TypeError("`request` returned no request");
    request.check();
    const response = exchange(request);
    if (response.ok) return connector.receipt(response);
    throw connector.failure(response);
  };
  const request = connector.request(settings, message);
  return request instanceof Promise ? request.then(finish) : finish(request);
}

/** A receipt without an empty id; nothing at all is a receipt, too. */
function receiptOf({ providerMessageId, detail } = {}) {
  const text = (value) =>
    value === undefined || value === null || value === "" ? undefined : String(value);
  return { providerMessageId: text(providerMessageId), detail: text(detail) };
}

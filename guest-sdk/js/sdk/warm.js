// Runs the SDK's own path once while the component is built. The engine compiles a function, a regular
// expression or a class of its own when it is first used: what is used here is compiled in every send's
// memory from the start. The author's code is left out: what it remembers would be in every send, too.

import { connector, send } from "./connector.js";
import { Failure } from "./failure.js";
import { HttpResponse, buffered, post } from "./http.js";
import { Message } from "./message.js";
import { list, object, optional, text, url } from "./settings.js";
import { mailTemplates, templates } from "./usage.js";

const ENCODER = new TextEncoder();

const USAGE_TYPES = ["Register", "SignIn", "ForgotPassword", "Generic"];

const SETTINGS = JSON.stringify({
  endpoint: "https://provider.example/",
  token: "placeholder",
  aliases: USAGE_TYPES.map((usageType) => ({ usageType, alias: "code" })),
  texts: USAGE_TYPES.map((usageType) => ({ usageType, subject: "{{code}}", content: "{{code}}" })),
});

const MESSAGE = {
  recipient: "someone@mail.example",
  usageType: "SignIn",
  payload: '{"code":"000000","application":{"name":"Name"}}',
  idempotencyKey: "key",
  expiresIn: 600_000n,
};

const CONNECTOR = connector({
  about: { id: "warm", channel: "email", titles: {}, descriptions: {} },
  settings: object({
    endpoint: url(),
    token: text(),
    from: optional(text()),
    tags: optional(list(text())),
    aliases: templates({ alias: text() }),
    texts: mailTemplates(),
  }),
  request(settings, message) {
    const { alias } = settings.aliases.choose(message.usageType);
    const { subject, html, plain } = settings.texts.text(message);
    const body = { to: message.recipient, model: message.payload, alias, subject, html, plain };
    return post(settings.endpoint).header("accept", "*/*").bearer(settings.token).json(body);
  },
  receipt: (response) => ({ providerMessageId: response.json().id }),
});

/** Uses what a send uses, the host's `exchange` left out: nothing can be sent while a component is built. */
export function warmUp(exchange) {
  const answer = (status) => (request) => {
    ENCODER.encode(request.body);
    return new HttpResponse(status, [["retry-after", "1"]], ENCODER.encode('{"id":"1"}'));
  };
  send(CONNECTOR, SETTINGS, new Message(MESSAGE), answer(200));
  try {
    send(CONNECTOR, SETTINGS, new Message(MESSAGE), answer(503));
  } catch (failure) {
    Failure.ofException(failure);
  }
  if (globalThis.Response) buffered(new Response("{}", { headers: { a: "b" } }));
  warmUpBindings(exchange);
}

/**
 * The contract's bindings have a global object of their own, with its own classes, which only their
 * functions lead to. They make a promise of every call; and a credential that there is not makes
 * `exchange` throw when all of the request but that is encoded.
 */
function warmUpBindings(exchange) {
  const BindingsFunction = exchange.constructor;
  new BindingsFunction("return (async () => await null)()")();
  const { method, url, headers } = post("https://provider.example/").header("accept", "*/*");
  try {
    exchange({ method, url, headers, body: ENCODER.encode("{}"), credential: { tag: "unknown" } });
  } catch {
    // As it must.
  }
}

// What the author of a connector imports.
//
// A connector says four things: what it is, its settings, how a message becomes a request, and how a
// response becomes a receipt or a failure. Secrets in the settings are opaque placeholders here; the host
// fills them in on the way out.

export { connector } from "./connector.js";
export { FAILURE_KINDS, Failure, kindOfStatus, oneLine } from "./failure.js";
export { HttpRequest, HttpResponse, buffered, get, post } from "./http.js";
export { Mailbox } from "./mailbox.js";
export { Content, Message } from "./message.js";
export { choice, flag, list, nonEmpty, number, object, optional, text, url } from "./settings.js";
export { render } from "./template.js";
export { USAGE_TYPES, mailTemplates, templates, textTemplates } from "./usage.js";

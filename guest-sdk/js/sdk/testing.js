// The native test kit: sends without a network, replays golden cases, checks what a connector says of
// itself. Runs in Node.js, never in a component.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { send as sendOnce } from "./connector.js";
import { Failure } from "./failure.js";
import { HttpResponse } from "./http.js";
import { Message } from "./message.js";
import { isSigned, verify } from "./signature.js";
import { bodyLike, sortedHeaders, wireHeaders } from "./wire.js";

export { verify };

const ENCODER = new TextEncoder();

/** Signatures and derivations of a send. */
const SIGNATURES = 16;

/** A message with nothing but recipient, usage type and variables, unless `fields` says more. */
export function message({ payload = { code: "123456" }, ...fields } = {}) {
  return new Message({
    recipient: "alice@example.net",
    usageType: "SignIn",
    payload: typeof payload === "string" ? payload : JSON.stringify(payload),
    idempotencyKey: "test-1",
    expiresIn: 600_000,
    ...fields,
  });
}

/** A mail with a text of its own, as HTML and as plain text. */
export function mailWithText(fields = {}) {
  const content = {
    subject: "Hello {{code}}",
    body: "<p>{{code}}</p>",
    contentType: "text/html",
    text: "{{code}}!",
    ...fields,
  };
  return message({ content });
}

/** A template with these fields for each usage type that every list must serve. */
export function templatesOf(fields) {
  const required = ["Register", "SignIn", "ForgotPassword", "Generic"];
  return required.map((usageType) => ({ usageType, ...fields }));
}

/** A response; an object as its body is sent as JSON. */
export function respond(status, headers = {}, body = "") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new HttpResponse(status, Object.entries(headers), ENCODER.encode(text));
}

/**
 * Sends a message, once, and answers with `response`, or fails as the error of the host's `http` of that
 * name. Returns the request that was made, and the receipt or the failure. A connector that uses `fetch`
 * gets this response from it.
 */
export async function send(connector, settings, message, response = respond(200)) {
  const seen = {};
  const exchange = (request) => {
    seen.request = request;
    if (typeof response === "string") throw Failure.ofHttpError({ tag: response });
    return response;
  };
  const network = globalThis.fetch;
  globalThis.fetch = fetchOver(exchange);
  const text = typeof settings === "string" ? settings : JSON.stringify(settings);
  const secrets = signingSecrets(connector, parsed(text));
  globalThis.standInForSigning = { secrets, left: SIGNATURES };
  try {
    seen.receipt = await sendOnce(connector, text, message, exchange);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    seen.failure = error;
  } finally {
    globalThis.fetch = network;
    delete globalThis.standInForSigning;
  }
  return seen;
}

/** The secrets that a connector asks to sign with. */
function signingSecrets({ about }, settings) {
  const grants = (about.secretGrants ?? []).filter(({ signing }) => signing);
  const values = grants.map(({ setting }) => {
    const names = setting.split("/").slice(1);
    return names.reduce((place, name) => place?.[name], settings);
  });
  return values.filter((value) => typeof value === "string" && value);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A `fetch` that ends in `exchange`. Like the component's it follows no redirect. */
function fetchOver(exchange) {
  return async (input, init) => {
    const request = new Request(input, init);
    const { method, url } = request;
    const body = await request.text();
    const headers = [...request.headers];
    let answer;
    try {
      answer = exchange({ method, url, headers, body, credential: { tag: "none" } });
    } catch {
      throw new TypeError("the request failed");
    }
    const empty = [204, 205, 304].includes(answer.status);
    return new Response(empty ? null : answer.body, answer);
  };
}

/** The cases of a file, one JSON object a line. */
export function readCases(file) {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line.trim()).map((line) => JSON.parse(line));
}

/**
 * Replays cases, and returns in words what differs from what they expect. `deviations` names, by the part
 * of a case's id behind the slash, the failure kind (or `"receipt"`) that is wanted in place of the
 * expected outcome; one that does not deviate any more is a difference, too.
 */
export async function replay(connector, cases, deviations = {}) {
  const found = [];
  for (const one of cases) {
    const wanted = deviations[one.id.split("/").at(-1)];
    const seen = await sendAt(one.now_ms, connector, one);
    found.push(...wrongSignatures(connector, one, seen));
    const plain = differences(one, one.expect.outcome, seen);
    if (wanted === undefined) {
      found.push(...plain);
    } else if (plain.length === 0) {
      found.push(`${one.id}: does not deviate any more`);
    } else {
      const outcome = wanted === "receipt" ? { ok: true } : { ok: false, kind: wanted };
      found.push(...differences(one, outcome, seen));
    }
  }
  return found;
}

/** What comes of a case, with the clock at the time that it was recorded. */
async function sendAt(now, connector, one) {
  const clock = Date.now;
  if (now) Date.now = () => now;
  try {
    return await send(connector, one.settings, messageOf(one), answerOf(one));
  } finally {
    Date.now = clock;
  }
}

/** What is wrong with a signature of a secret that the connector asks to sign with. */
function wrongSignatures(connector, { id, settings }, { request }) {
  if (!request?.headers.some(isSigned)) return [];
  return signingSecrets(connector, settings).flatMap((secret) => {
    try {
      verify(request, secret);
      return [];
    } catch (error) {
      return [`${id}: ${error.message}`];
    }
  });
}

/** The message of a case. */
function messageOf({ id, message: { to, type, payload, ip }, content }) {
  return message({
    recipient: to,
    usageType: type,
    payload,
    clientIp: ip,
    locale: typeof payload.locale === "string" ? payload.locale : undefined,
    content: content ? { contentType: "text/html", ...content, body: content.content } : undefined,
    idempotencyKey: id,
  });
}

/** The response of a case, or the error of the network. */
function answerOf({ responses, network }) {
  if (network?.fault === "dns_failure") return "dns";
  const [answer] = responses;
  if (!answer || answer.network) return "interrupted";
  return respond(answer.status, answer.headers, answer.body);
}

function differences(one, outcome, { request, receipt, failure }) {
  const found = [];
  const expect = (what, expected, got) => {
    // By text, so that the order of keys counts.
    const [left, right] = [JSON.stringify(expected), JSON.stringify(got)];
    if (left !== right) found.push(`${one.id}: ${what}: expected ${left}, got ${right}`);
  };
  // What is refused before the wire makes no request; without a name nothing reaches the wire, either.
  const refused = outcome !== one.expect.outcome && !request;
  const recorded = refused ? undefined : one.expect.requests[0];
  const made = one.network?.fault === "dns_failure" ? undefined : request;
  expect("requests", recorded ? 1 : 0, made ? 1 : 0);
  if (recorded && made) {
    expect("method", recorded.method, made.method);
    expect("url", recorded.url, made.url);
    const headers = sortedHeaders(Object.entries(recorded.headers));
    // Which headers a signature covers is the signer's choice: it is verified.
    const unsigned = (all) => (headers.some(isSigned) ? all.filter(isNotOfSignature) : all);
    expect("headers", unsigned(headers), unsigned(wireHeaders(made)));
    expect("body", recorded.body, bodyLike(recorded.body, made.body));
  }
  expect("ok", outcome.ok, receipt !== undefined);
  if (outcome.kind) expect("kind", outcome.kind, failure?.kind);
  return found;
}

function isNotOfSignature([name]) {
  return !["authorization", "x-amz-content-sha256"].includes(name);
}

/** Checks what a connector and its project's files say of it against the contract. */
export function checkAbout({ about }, folder) {
  const read = (name) => readFileSync(new URL(name, folder), "utf8");
  assert.match(about.id, /^[a-z][a-z0-9-]{0,63}$/, "the id");
  assert.ok(["email", "sms"].includes(about.channel), "the channel");
  assert.match(JSON.parse(read("package.json")).version, /^\d+\.\d+\.\d+/, "the version");
  for (const [texts, bytes] of [
    [about.titles, 128],
    [about.descriptions, 1024],
  ]) {
    assert.ok(Object.keys(texts).length > 0, "a text in at least one language");
    for (const text of Object.values(texts)) assert.ok(ENCODER.encode(text).length <= bytes, text);
  }
  assert.ok((about.hosts ?? []).length <= 32, "the hosts");
  assert.match(read("README.md"), /^# /, "the README begins with a title");

  const schema = JSON.parse(read("settings.schema.json"));
  assert.equal(schema.type, "object", "the schema is an object's");
  for (const [name, property] of Object.entries(schema.properties)) {
    assert.equal(typeof property.title, "string", `${name} has a title`);
    assert.ok(!property.writeOnly || property.type === "string", `the secret ${name} is a string`);
  }
  for (const { setting } of about.secretGrants ?? []) {
    const names = setting.split("/").slice(1);
    const secret = names.reduce((place, name) => place?.properties?.[name], schema);
    assert.equal(secret?.writeOnly, true, `${setting} is a secret`);
  }
}

// The component's side of the contract, with the host's interfaces stood in for.

import assert from "node:assert/strict";
import { register } from "node:module";
import test from "node:test";

import { Failure, connector, object, post, text } from "../sdk/index.js";

const HOST = `export const send = (request) => globalThis.host.send(request);
export const log = (level, words) => globalThis.host.lines.push([level, words]);`;
const HOOKS = `export const resolve = (name, context, next) => name.startsWith("sendbox:")
  ? { url: "data:text/javascript," + encodeURIComponent(${JSON.stringify(HOST)}), shortCircuit: true }
  : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
const { component } = await import("../sdk/component.js");

const message = {
  recipient: "alice@example.net",
  usageType: "SignIn",
  payload: '{"code":"123456"}',
  content: { subject: "S", body: "{{code}}", contentType: "text-plain" },
  idempotencyKey: "k",
  expiresIn: 600_000n,
};
const about = {
  id: "x",
  channel: "email",
  titles: { en: "X", de: "Y" },
  descriptions: { en: "X" },
};
const project = { version: "1.2.3", settingsSchema: "{}", readme: "# X" };
const settings = object({ token: text() });

/** What a send throws or returns, with what the host saw and heard. */
function sent(parts, answer = () => ({ status: 200, headers: [], body: new Uint8Array() })) {
  globalThis.host = { lines: [], send: answer };
  const request = (read, mail) => post("https://x.example").bearer(read.token).json(mail.content);
  const guest = component(connector({ about, settings, request, ...parts }), project);
  try {
    return { receipt: guest.send('{"token":"placeholder"}', message) };
  } catch (failure) {
    return { failure };
  }
}

test("describe says what the connector and the project's files say", () => {
  const guest = component(
    connector({ about: { ...about, hosts: ["x.example"] }, settings, send: async () => {} }),
    project,
  );
  assert.deepEqual(guest.describe(), {
    ...about,
    ...project,
    titles: [
      ["en", "X"],
      ["de", "Y"],
    ],
    descriptions: [["en", "X"]],
    hosts: ["x.example"],
    secretGrants: [],
  });
});

test("a request reaches the host as the contract has it", () => {
  let seen;
  const { receipt } = sent({}, (request) => {
    seen = request;
    return { status: 202, headers: [], body: new Uint8Array() };
  });
  assert.deepEqual(receipt, { providerMessageId: undefined, detail: undefined });
  assert.deepEqual(seen.credential, { tag: "bearer", val: "placeholder" });
  const mail = JSON.parse(new TextDecoder().decode(seen.body));
  assert.deepEqual(mail, { subject: "S", body: "123456", contentType: "text/plain" });
});

test("a failure is thrown as a plain record, its delay as a big integer", () => {
  const busy = { status: 429, headers: [["retry-after", "7"]], body: new Uint8Array() };
  const { failure } = sent({}, () => busy);
  assert.ok(!(failure instanceof Error));
  const message = "HTTP status 429";
  assert.deepEqual(failure, { kind: "throttled", code: "429", message, retryAfter: 7000n });
});

test("an error of the host's is a failure with its tag as the code", () => {
  const { failure } = sent({}, () => {
    throw Object.assign(new Error("dns"), { payload: { tag: "dns" } });
  });
  assert.equal(failure.kind, "unavailable");
  assert.equal(failure.code, "dns");
});

test("an exception is a failure with its message, and the log tells where it came from", () => {
  const { failure } = sent({
    request: function broken() {
      throw new RangeError("no such plan");
    },
  });
  assert.equal(failure.message, "RangeError: no such plan");
  const [[level, words]] = globalThis.host.lines;
  assert.equal(level, "error");
  assert.match(words, /broken/);
});

test("a rejected promise is a failure, too", async () => {
  const send = async () => {
    throw new Failure("rejected", "no");
  };
  const { receipt } = sent({ request: undefined, send });
  await assert.rejects(receipt, { kind: "rejected", message: "no" });
});

// Submission, from a connector to the host's interface, which is stood in for.

import assert from "node:assert/strict";
import test from "node:test";

import { Failure, connector, object, text } from "../sdk/index.js";
import { compose } from "../sdk/mail.js";
import { mailWithText, message, respond } from "../sdk/testing.js";
import { submitted } from "../sdk/testing-smtp.js";

const { submit } = await import("../sdk/smtp.js");

const server = { host: "smtp.example.com", port: 465, security: "tls" };
const path = { mailFrom: "noreply@example.com", rcptTo: ["bob@Example.net"] };

/** What comes of a submission. */
function submitting({ to = server, envelope = path, data = "" }, answer) {
  const about = { id: "x", channel: "email", titles: { en: "X" }, descriptions: { en: "X" } };
  const send = async () => ({ detail: submit(to, { ...path, ...envelope }, data).text });
  return submitted(connector({ about, settings: object({}), send }), {}, message(), answer);
}

test("a connector composes a mail and submits it, and the server's words are in the receipt", async () => {
  const mailing = connector({
    about: { id: "x", channel: "email", titles: { en: "X" }, descriptions: { en: "X" } },
    settings: object({ host: text(), user: text(), password: text(), from: text() }),
    async send({ host, from, ...login }, { recipient, content }) {
      const { subject, html, plain } = content;
      const mail = compose({ from, to: recipient, subject, html, text: plain });
      const envelope = { mailFrom: from, rcptTo: [recipient] };
      const reply = submit({ ...server, host, auth: login }, envelope, mail);
      return { detail: reply.text };
    },
  });
  const settings = { host: "mail.example", user: "u", password: "p", from: path.mailFrom };
  const { submission, receipt } = await submitted(mailing, settings, mailWithText());
  assert.equal(submission.server.host, "mail.example");
  assert.deepEqual(submission.envelope, { ...path, rcptTo: ["alice@example.net"] });
  assert.match(submission.data, /\r\nSubject: Hello 123456\r\n/);
  assert.equal(receipt.detail, "queued");
});

test("a mail reaches the host as the contract has it", async () => {
  const { submission } = await submitting({ data: "Subject: ü\r\n" });
  assert.deepEqual(submission, {
    server: { ...server, auth: { tag: "none" } },
    envelope: { mailFrom: "noreply@example.com", rcptTo: ["bob@example.net"] },
    data: "Subject: ü\r\n",
  });
  const bounce = await submitting({ envelope: { mailFrom: "" }, data: new Uint8Array([65]) });
  assert.equal(bounce.submission.envelope.mailFrom, "");
  assert.equal(bounce.submission.data, "A");
});

test("credentials are a login, or a user and an access token", async () => {
  const authOf = async (auth) =>
    (await submitting({ to: { ...server, auth } })).submission.server.auth;
  const login = { user: "u", password: "p", mechanism: undefined };
  assert.deepEqual(await authOf({ user: "u", password: "p" }), { tag: "login", val: login });
  assert.deepEqual(await authOf({ user: "u", token: "t" }), { tag: "oauth2", val: ["u", "t"] });
});

test("an access token comes first where a connector asks for one", async () => {
  const about = { id: "x", channel: "email", titles: { en: "X" }, descriptions: { en: "X" } };
  const send = async () => {
    const answer = await fetch("https://tokens.example/", { method: "POST" });
    const { token } = await answer.json();
    submit({ ...server, auth: { user: "u", token } }, path, "");
  };
  const mailing = connector({ about, settings: object({}), send });
  const sending = (response) => submitted(mailing, {}, message(), undefined, response);
  const { submission } = await sending(respond(200, {}, { token: "t" }));
  assert.deepEqual(submission.server.auth, { tag: "oauth2", val: ["u", "t"] });
  const lost = await sending("connect");
  assert.deepEqual([lost.submission, lost.failure.kind], [undefined, "unknown"]);
});

test("an envelope that could end a command reaches no host", async () => {
  const evil = "a@x.test>\r\nRCPT TO:<b@x.test";
  for (const [envelope, kind] of [
    [{ mailFrom: evil }, "invalid-settings"],
    [{ rcptTo: ["c@x.test", evil] }, "rejected"],
  ]) {
    const { submission, failure } = await submitting({ envelope });
    assert.equal(submission, undefined);
    assert.equal(failure.kind, kind);
  }
});

test("every error of the host's has its kind, code and words", async () => {
  const reply = (code, enhanced, text) => ({ code, enhanced, text });
  for (const [tag, val, kind, code, words] of [
    ["not-supported", undefined, "invalid-settings", "not-supported", /does not offer/],
    ["denied", undefined, "invalid-settings", "denied", /policy/],
    ["invalid-request", "too long", "invalid-settings", "invalid-request", /^too long$/],
    ["dns", undefined, "unavailable", "dns", /host name/],
    ["connect", undefined, "unavailable", "connect", /no session/],
    ["tls", "expired", "unavailable", "tls", /^no trusted TLS session: expired$/],
    ["timeout", undefined, "unavailable", "timeout", /in time/],
    ["interrupted", undefined, "unknown", "interrupted", /after the message/],
    ["unauthorized", reply(535, "5.7.8", "bad"), "unauthorized", "5.7.8", /^535 bad$/],
    ["rejected", reply(550, undefined, ""), "rejected", "550", /^550$/],
    ["deferred", reply(451, "4.7.1", "greylisted"), "unavailable", "4.7.1", /greylisted/],
    ["deferred", reply(451, undefined, "a Rate Limit"), "throttled", "451", /Rate/],
    ["deferred", reply(452, undefined, "too many"), "throttled", "452", /too many/],
    ["of-a-later-contract", undefined, "unknown", "of-a-later-contract", /failed/],
  ]) {
    const { failure } = await submitting({}, { tag, val });
    assert.ok(failure instanceof Failure);
    assert.deepEqual([failure.kind, failure.code], [kind, code], tag);
    assert.match(failure.message, words);
  }
});

test("an exception that is no answer of the host's is no error of the server's", async () => {
  const { failure } = await submitting({ data: 7 });
  assert.deepEqual([failure.kind, failure.code], ["unknown", "exception"]);
});

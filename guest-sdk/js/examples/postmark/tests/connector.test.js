// Replays the recorded peer, and what it does not cover.

import assert from "node:assert/strict";
import test from "node:test";

import connector from "../src/connector.js";
import { goldenCases } from "../../../tests/golden.js";
import {
  checkAbout,
  mailWithText,
  message,
  replay,
  respond,
  send,
  templatesOf,
} from "../../../sdk/testing.js";

const settings = {
  serverToken: "token",
  fromEmail: "noreply@example.com",
  templates: templatesOf({ templateAlias: "code" }),
};

const answered = async (...response) => send(connector, settings, message(), respond(...response));

test("it says of itself what the contract asks for", () => {
  checkAbout(connector, new URL("..", import.meta.url));
});

test("it does what the peer does", async () => {
  const cases = goldenCases("postmark.jsonl");
  const deviations = {
    "to-crlf_injection": "rejected",
    "resp-redirect-303-cross-host": "unknown",
  };
  assert.deepEqual(await replay(connector, cases, deviations), []);
});

test("the receipt carries the message id", async () => {
  const body = { To: "alice@example.net", MessageID: "b7bc2f4a", ErrorCode: 0, Message: "OK" };
  const { receipt } = await answered(200, {}, body);
  assert.deepEqual(receipt, { providerMessageId: "b7bc2f4a", detail: "OK" });
});

test("a success that carries an error code is a failure", async () => {
  const body = { ErrorCode: 406, Message: "inactive: alice@example.net" };
  const { failure } = await answered(200, {}, body);
  assert.equal(failure.kind, "rejected");
  assert.equal(failure.code, "406");
  assert.equal(failure.message, "inactive: …");
});

test("every error code that matters has its kind", async () => {
  for (const [status, code, kind] of [
    [401, 10, "unauthorized"],
    [503, 100, "unavailable"],
    [422, 300, "rejected"],
    [422, 400, "invalid-settings"],
    [422, 401, "invalid-settings"],
    [422, 405, "throttled"],
    [422, 406, "rejected"],
    [422, 412, "unauthorized"],
    [429, 429, "throttled"],
    [422, 1101, "template-not-found"],
    [500, 9999, "unknown"],
  ]) {
    const { failure } = await answered(status, {}, { ErrorCode: code, Message: "words" });
    assert.equal(failure.kind, kind, String(code));
  }
});

test("without a code the status decides", async () => {
  const { failure } = await answered(503, { "retry-after": "30" }, "unavailable");
  assert.equal(failure.kind, "unavailable");
  assert.equal(failure.retryAfter, 30_000);
});

test("a text of the tenant's own takes the template's place", async () => {
  const { request } = await send(connector, settings, mailWithText());
  assert.equal(request.url, "https://api.postmarkapp.com/email");
  assert.deepEqual(JSON.parse(request.body), {
    From: "noreply@example.com",
    To: "alice@example.net",
    HtmlBody: "<p>123456</p>",
    Subject: "Hello 123456",
    TextBody: "123456!",
  });

  const named = mailWithText({ sendFrom: "Example", replyTo: "help@example.com" });
  const mail = JSON.parse((await send(connector, settings, named)).request.body);
  assert.equal(mail.From, "Example <noreply@example.com>");
  assert.equal(mail.ReplyTo, "help@example.com");
});

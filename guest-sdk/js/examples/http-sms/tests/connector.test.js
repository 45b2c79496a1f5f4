// Replays the recorded peer, and what it does not cover.

import assert from "node:assert/strict";
import test from "node:test";

import connector from "../src/connector.js";
import { goldenCases } from "../../../tests/golden.js";
import { checkAbout, message, replay, respond, send } from "../../../sdk/testing.js";

const settings = { endpoint: "https://hooks.example.com/", authorization: "Bearer s3cr3t" };
const sms = (fields) => message({ recipient: "4915112345678", ...fields });

test("it says of itself what the contract asks for", () => {
  checkAbout(connector, new URL("..", import.meta.url));
});

test("it does what the peer does", async () => {
  const cases = goldenCases("http-sms.jsonl");
  const deviations = {
    "resp-redirect-303-cross-host": "unknown",
    "redirect-to-http-downgrade": "invalid-settings",
  };
  assert.deepEqual(await replay(connector, cases, deviations), []);
});

test("an empty authorization is not sent", async () => {
  const { request } = await send(connector, { ...settings, authorization: "" }, sms());
  assert.deepEqual(request.headers, [["content-type", "application/json"]]);
});

test("a number with control characters is rejected before any request", async () => {
  const { request, failure } = await send(connector, settings, sms({ recipient: "49151\u007f" }));
  assert.equal(failure.kind, "rejected");
  assert.equal(request, undefined);
});

test("the endpoint may ask to wait", async () => {
  const busy = respond(429, { "retry-after": "7" }, "busy");
  const { failure } = await send(connector, settings, sms(), busy);
  assert.equal(failure.kind, "throttled");
  assert.equal(failure.retryAfter, 7_000);
});

test("a request that fails is a failure that leaves the verdict to the host", async () => {
  const { failure } = await send(connector, settings, sms(), "interrupted");
  assert.equal(failure.kind, "unknown");
  assert.equal(failure.code, "exception");
});

test("a text of the tenant's own is sent beside the variables", async () => {
  const content = { subject: "", body: "Your code: {{code}}", contentType: "text/plain" };
  const { request } = await send(connector, settings, sms({ content }));
  assert.deepEqual(JSON.parse(request.body).content, {
    subject: "",
    content: "Your code: 123456",
    contentType: "text/plain",
  });
});

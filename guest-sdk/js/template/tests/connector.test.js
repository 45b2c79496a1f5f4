import assert from "node:assert/strict";
import test from "node:test";

import connector from "../src/connector.js";
import { checkAbout, message, readCases, replay, respond, send } from "../sdk/testing.js";

const [signIn] = readCases(new URL("../cases/sign-in.jsonl", import.meta.url));

test("it says of itself what the contract asks for", () => {
  checkAbout(connector, new URL("..", import.meta.url));
});

test("it does what its cases expect", async () => {
  assert.deepEqual(await replay(connector, [signIn]), []);
});

test("a provider that is busy is tried again when it says", async () => {
  const busy = respond(429, { "retry-after": "30" }, "slow down");
  const { failure } = await send(connector, signIn.settings, message(), busy);
  assert.equal(failure.kind, "throttled");
  assert.equal(failure.retryAfter, 30_000);
});

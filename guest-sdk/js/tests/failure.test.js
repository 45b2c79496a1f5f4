import assert from "node:assert/strict";
import test from "node:test";

import {
  Failure,
  HttpResponse,
  connector,
  kindOfStatus,
  object,
  post,
  text,
} from "../sdk/index.js";
import { message, respond, send } from "../sdk/testing.js";

const about = { id: "x", channel: "email", titles: { en: "X" }, descriptions: { en: "X" } };
const hook = (parts) =>
  connector({ about, settings: object({}), request: () => post("https://x.example"), ...parts });
const failureOf = async (parts, ...rest) => (await send(hook(parts), {}, ...rest)).failure;

test("every status code has its kind", () => {
  for (const [kind, codes] of Object.entries({
    "invalid-settings": [301, 302, 307, 404, 405, 413, 415],
    unknown: [100, 303, 500, 502, 504, 599],
    unauthorized: [401, 403, 407],
    throttled: [402, 408, 425, 429],
    rejected: [400, 422],
    unavailable: [503],
  })) {
    for (const status of codes) assert.equal(kindOfStatus(status), kind, String(status));
  }
});

test("retry-after is read as seconds and as a date", () => {
  const received = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (const [headers, expected] of [
    [{ "retry-after": "120" }, 120_000],
    [{ "retry-after": "Sun, 06 Nov 1994 08:50:37 GMT" }, 60_000],
    [
      {
        "retry-after": "Sun, 06 Nov 1994 08:50:37 GMT",
        date: "Sun, 06 Nov 1994 08:50:07 GMT",
      },
      30_000,
    ],
    [{ "retry-after": "Sun, 06 Nov 1994 08:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "-1" }, undefined],
    [{}, undefined],
  ]) {
    const response = new HttpResponse(429, Object.entries(headers), new Uint8Array(), received);
    assert.equal(Failure.ofResponse(response).retryAfter, expected);
  }
});

test("the words quote text on one line and never markup", () => {
  const words = (...response) => Failure.ofResponse(respond(...response)).message;
  assert.equal(words(413, {}, "too\r\nlarge\n"), "HTTP status 413: too large");
  assert.equal(words(502, {}, "<html>oops</html>"), "HTTP status 502");
  assert.equal(Failure.ofResponse(respond(400, {}, " <html>nginx</html>")).kind, "invalid-settings");
});

test("what surely did not arrive is told from what may have", async () => {
  for (const error of ["dns", "connect", "tls"]) {
    assert.equal((await failureOf({}, message(), error)).kind, "unavailable", error);
  }
  for (const error of ["timeout", "interrupted", "response-too-large"]) {
    assert.equal((await failureOf({}, message(), error)).kind, "unknown", error);
  }
  assert.equal((await failureOf({}, message(), "denied")).code, "denied");
});

test("an exception of the author's becomes a failure with its message", async () => {
  const request = () => undefined.payload;
  const failure = await failureOf({ request }, message());
  assert.equal(failure.kind, "unknown");
  assert.equal(failure.code, "exception");
  assert.match(failure.message, /^TypeError: .*payload/);
});

test("a request that is forgotten is named", async () => {
  const failure = await failureOf({ request: () => undefined }, message());
  assert.equal(failure.message, "TypeError: `request` returned no request");
});

test("an exception behind an await becomes a failure with its message", async () => {
  const later = async () => {
    await null;
    throw new RangeError("too far");
  };
  const failure = await failureOf({ request: undefined, send: later }, message());
  assert.equal(failure.message, "RangeError: too far");
});

test("neither a number nor a code inside it stays readable", async () => {
  const failure = await failureOf(
    {
      request() {
        throw new Failure("rejected", "no 123456 to +4915112345678 or 4915112345678");
      },
    },
    message({ recipient: "+4915112345678", payload: { code: 123_456 } }),
  );
  assert.equal(failure.message, "no … to … or …");
});

test("a header value with a line break names its header", async () => {
  const request = () => post("https://x.example").secretHeader("x-key", "a\r\nb: c");
  const failure = await failureOf({ request }, message());
  assert.equal(failure.kind, "invalid-settings");
  assert.match(failure.message, /^x-key: /);
});

test("a part that nobody knows is a mistake", () => {
  assert.throws(() => hook({ recieve: () => ({}) }), /no part `recieve`/);
  assert.throws(
    () => connector({ about, settings: object({ a: text() }) }),
    /needs the part `request`/,
  );
  assert.throws(() => hook({ about: { ...about, titles: undefined } }), /`about` needs `titles`/);
});

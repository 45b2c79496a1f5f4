import assert from "node:assert/strict";
import test from "node:test";

import { get, post } from "../sdk/index.js";
import { respond } from "../sdk/testing.js";

test("a form is one line, encoded as a browser encodes it", () => {
  const request = post("https://x.example").form({ "a b": "ü+~*-._", c: "&=🔐", d: undefined });
  assert.equal(request.body, "a+b=%C3%BC%2B%7E*-._&c=%26%3D%F0%9F%94%90");
  assert.deepEqual(request.headers, [["content-type", "application/x-www-form-urlencoded"]]);
});

test("a query is encoded like a form", () => {
  const request = get("https://x.example/a", [
    ["u", "a&b"],
    ["c", "é "],
  ]);
  assert.equal(request.method, "GET");
  assert.equal(request.url, "https://x.example/a?u=a%26b&c=%C3%A9+");
});

test("JSON is read behind a byte order mark, and what is none is undefined", () => {
  assert.deepEqual(respond(200, {}, "\ufeff[1]").json(), [1]);
  assert.equal(respond(200, {}, "<html>").json(), undefined);
});

test("a credential is kept apart from the headers, for the host to encode", () => {
  const request = post("https://x.example").basic("user", "placeholder").json({ a: 1 });
  assert.deepEqual(request.credential, { tag: "basic", val: ["user", "placeholder"] });
  assert.deepEqual(request.headers, [["content-type", "application/json"]]);
});

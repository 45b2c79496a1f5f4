// Verifies a signed request as its provider would: recomputed from the published specification and the bytes
// on the wire, with nothing of the signing code. Part of the test kit.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";

const FAMILY = "AWS4-HMAC-SHA256 ";

/** Whether a header is a signature that `verify` can judge. */
export function isSigned([name, value]) {
  return name.toLowerCase() === "authorization" && value.startsWith(FAMILY);
}

/** Checks the AWS Signature Version 4 of a request; throws where it has none, or another one. */
export function verify(request, secret) {
  const authorization = request.headers.find(isSigned)?.[1];
  assert.ok(authorization, "the request is not signed");
  const parts = authorization.slice(FAMILY.length).split(", ");
  const fields = Object.fromEntries(parts.map((part) => /^(\w+)=(.*)$/.exec(part).slice(1)));
  const [, ...scope] = fields.Credential.split("/");
  const body = sha256(request.body);
  const stated = header(request, "x-amz-content-sha256");
  assert.equal(stated || body, body, "x-amz-content-sha256 is not the body's");

  const hash = sha256(canonical(request, fields.SignedHeaders, body));
  const toSign = [FAMILY.trim(), header(request, "x-amz-date"), scope.join("/"), hash].join("\n");
  const key = scope.reduce(hmac, `AWS4${secret}`);
  const expected = hmac(key, toSign).toString("hex");
  assert.equal(fields.Signature, expected, "the signature is another one");
}

function canonical(request, signed, body) {
  const [, host, path, query] = /^https?:\/\/([^/?]*)([^?]*)\??(.*)$/.exec(request.url);
  const pairs = query.split("&").filter(Boolean);
  const lines = signed.split(";").map((name) => {
    const value = name === "host" ? host : header(request, name);
    return `${name}:${value}`;
  });
  // What is on the wire is ASCII.
  const encode = (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
  const twice = path.replace(/[^A-Za-z0-9._~/-]/g, encode);
  const sorted = pairs
    .map((pair) => pair.split("="))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const text = sorted.map((pair) => pair.join("=")).join("&");
  return [request.method, twice || "/", text, ...lines, "", signed, body].join("\n");
}

/** The values of a header, without needless spaces. */
function header({ headers }, wanted) {
  const values = headers.filter(([name]) => name.toLowerCase() === wanted);
  return values.map(([, value]) => value.trim().replace(/ +/g, " ")).join();
}

function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key, data) {
  return createHmac("sha256", key).update(data).digest();
}

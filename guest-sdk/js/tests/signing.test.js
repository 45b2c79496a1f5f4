// Keys, and what is signed with them, against the published examples of those who verify them.

import assert from "node:assert/strict";
import { generateKeyPairSync, verify as verifyRsa } from "node:crypto";
import test from "node:test";

import { Failure, connector, get, object, post, text } from "../sdk/index.js";
import { message, readCases, replay, respond, send, templatesOf, verify } from "../sdk/testing.js";
import "../sdk/testing-signing.js";
import { goldenCases } from "./golden.js";

const { Key } = await import("../sdk/signing.js");
const { sigv4 } = await import("../sdk/sigv4.js");
const { default: ses } = await import("./ses.js");

const DATA = "what do ya want for nothing?";
const about = {
  id: "x",
  channel: "email",
  titles: { en: "X" },
  descriptions: { en: "X" },
  secretGrants: [{ setting: "/keys/secret", signing: true }],
};

/** What a function gives inside a send whose connector asks to sign with a secret. */
async function inside(secret, sign) {
  let given;
  const one = connector({
    about,
    settings: object({ keys: object({ secret: text() }) }),
    async request({ keys }) {
      given = await sign(keys.secret);
      return post("https://x.example");
    },
  });
  const { failure } = await send(one, { keys: { secret } }, message());
  if (failure) throw failure;
  return given;
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("HMAC is that of the RFCs", async () => {
  // RFC 2202, case 2, and RFC 4231, case 2.
  for (const [algorithm, expected] of [
    ["hmac-sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"],
    ["hmac-sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"],
  ]) {
    const signed = await inside("ef", (secret) =>
      Key.fromSecret(secret, { prefix: "J", suffix: "e" }).sign(algorithm, DATA),
    );
    assert.equal(hex(signed), expected);
  }
});

test("a key derives or signs, never both", async () => {
  const both = (secret) => {
    const key = Key.fromSecret(secret);
    key.derive("day").sign("hmac-sha256", new Uint8Array());
    key.sign("hmac-sha256", "day");
  };
  await assert.rejects(inside("Jefe", both), { kind: "invalid-settings", code: "denied" });
});

test("a secret that the connector did not ask for makes no key", async () => {
  const failure = await inside("Jefe", () => Key.fromSecret("another")).catch((error) => error);
  assert.ok(failure instanceof Failure);
  assert.equal(failure.code, "denied");
  assert.match(failure.message, /secretGrants/);
});

test("a send has sixteen signatures", async () => {
  const signing = (times) => (secret) => {
    const key = Key.fromSecret(secret);
    for (let done = 0; done < times; done += 1) key.sign("hmac-sha1", DATA);
  };
  await inside("Jefe", signing(16));
  await assert.rejects(inside("Jefe", signing(17)), { kind: "invalid-settings", code: "limit" });
});

test("a private key signs as its public key can tell", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const type of ["pkcs8", "pkcs1"]) {
    const pem = privateKey.export({ type, format: "pem" });
    const signed = await inside(pem, (secret) => Key.fromSecret(secret).sign("rsa-sha256", DATA));
    assert.ok(verifyRsa("sha256", Buffer.from(DATA), publicKey, signed));
  }
});

test("what is no private key is refused in words", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const secret of ["hunter2", privateKey.export({ type: "pkcs8", format: "pem" })]) {
    const sign = (known) => Key.fromSecret(known).sign("rsa-sha256", DATA);
    await assert.rejects(inside(secret, sign), { code: "invalid-key", message: /no RSA/ });
  }
});

test("settings that are no JSON are a failure for a connector that signs, too", async () => {
  const { failure } = await send(ses, "{", message());
  assert.equal(failure.kind, "invalid-settings");
});

test("outside a send there are no keys", () => {
  assert.throws(() => Key.fromSecret("secret"), /inside a send/);
});

test("requests have the signatures of the published examples", async () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, read 2026-11-21.
  const id = "AKIAIOSFODNN7EXAMPLE";
  const scope = { region: "us-east-1", service: "s3" };
  const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const range = get("https://examplebucket.s3.amazonaws.com/test.txt").header("Range", "bytes=0-9");
  for (const [request, names, signature] of [
    [
      range,
      "host;range;x-amz-content-sha256;x-amz-date",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      get("https://examplebucket.s3.amazonaws.com?lifecycle"),
      "host;x-amz-content-sha256;x-amz-date",
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      get("https://examplebucket.s3.amazonaws.com/", { prefix: "J", "max-keys": 2 }),
      "host;x-amz-content-sha256;x-amz-date",
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ]) {
    const at = Date.UTC(2013, 4, 24);
    const signed = await inside(secret, (known) =>
      sigv4(request, { id, secret: known }, scope, at),
    );
    const authorization =
      `AWS4-HMAC-SHA256 Credential=${id}/20130524/us-east-1/s3/aws4_request, ` +
      `SignedHeaders=${names}, Signature=${signature}`;
    assert.deepEqual(signed.headers.at(-1), ["authorization", authorization]);
    verify(signed, secret);
  }
});

test("the query goes out as it is signed, and a repeated header is signed once", async () => {
  const fields = { Message: "a b+c~*'ü", Action: "Publish" };
  const request = get("https://SNS.us-east-1.amazonaws.com:443/", fields)
    .header("x-a", "1  2")
    .header("X-A", " 3");
  const scope = { region: "us-east-1", service: "sns" };
  const signed = await inside("s", (secret) => sigv4(request, { id: "id", secret }, scope));
  const url = "https://sns.us-east-1.amazonaws.com/";
  assert.equal(signed.url, `${url}?Action=Publish&Message=a%20b%2Bc~%2A%27%C3%BC`);
  assert.match(signed.headers.at(-1)[1], /SignedHeaders=host;x-a;x-amz-content-sha256;x-amz-date,/);
  verify(signed, "s");
});

test("a path is signed as it is on the wire, encoded once more", async () => {
  const request = get("https://email.eu-central-1.amazonaws.com/v2/a b/(x)!'*/%2F");
  const scope = { region: "eu-central-1", service: "ses" };
  const signed = await inside("s", (secret) => sigv4(request, { id: "id", secret }, scope));
  assert.ok(signed.url.endsWith("/v2/a%20b/(x)!'*/%2F"), signed.url);
  verify(signed, "s");
});

test("every change of a signed request is noticed", async () => {
  const settings = {
    accessKeyId: "id",
    accessKeySecret: "secret",
    region: "eu-central-1",
    templates: templatesOf({ subject: "S", content: "ü" }),
  };
  for (const change of [
    (request) => (request.method = "PUT"),
    (request) => (request.url += "x"),
    (request) => (request.url += "?x=1"),
    (request) => (request.body += " "),
    (request) => (request.headers[0][1] += "x"),
    (request) => request.headers.pop(),
  ]) {
    const { request } = await send(ses, settings, message(), respond(200));
    verify(request, "secret");
    change(request);
    assert.throws(() => verify(request, "secret"));
  }
});

const INHERITED = "render-quirk_prototype_keys";

test("a connector does what the recorded one did, and its signatures are verified", async () => {
  const cases = goldenCases("aws-ses.jsonl").filter(({ id }) => !id.endsWith(INHERITED));
  const deviations = {
    "resp-g200_bom_json": "receipt",
    "resp-fail-then-ok": "unavailable",
    "to-crlf_injection": "rejected",
  };
  assert.deepEqual(await replay(ses, cases, deviations), []);
});

test("replaying notices a wrong signature", async () => {
  const [one] = readCases(new URL("ses.jsonl", import.meta.url));
  assert.deepEqual(await replay(ses, [one]), []);
  const request = async (...given) => (await ses.request(...given)).header("x-amz-date", "0");
  const found = await replay({ ...ses, request }, [one]);
  assert.ok(
    found.some((words) => words.includes("the signature is another one")),
    found.join(),
  );
});

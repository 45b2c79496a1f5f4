// Mails as servers and readers need them: short lines, ASCII, one header a header.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import { Mailbox } from "../sdk/index.js";
import { address, compose } from "../sdk/mail.js";

const mail = (fields = {}) =>
  compose({
    from: "Example, Inc. <noreply@mail.example.com>",
    to: "alice@example.net",
    subject: "Code 123456",
    text: "Hello",
    ...fields,
  });

/** What a reader makes of a mail, or of a part: its fields by name, unfolded and decoded, and its body. */
function read(message) {
  const end = message.indexOf("\r\n\r\n");
  const lines = message
    .slice(0, end)
    .replace(/\r\n(?=[ \t])/g, "")
    .split("\r\n");
  const fields = {};
  for (const line of lines) {
    const [, name, value] = /^([!-9;-~]+): ?(.*)$/.exec(line);
    assert.ok(!(name in fields), `${name} comes once`);
    fields[name] = value
      .replace(/\?=[ \t]+=\?/g, "?==?")
      .replace(/=\?utf-8\?B\?([^?]*)\?=/g, (_, letters) => decoded(letters));
  }
  const body = message.slice(end + 4);
  const isBase64 = fields["Content-Transfer-Encoding"] === "base64";
  return { fields, body: isBase64 ? decoded(body) : body };
}

/** UTF-8 behind base64; a character that is cut fails. */
function decoded(letters) {
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(letters, "base64"));
}

function assertClean(message) {
  assert.match(message, /^[\t\r\n -~]*$/);
  assert.ok(!/\r(?!\n)|(?<!\r)\n/.test(message), "only CRLF ends a line");
  assert.ok(message.endsWith("\r\n"));
  for (const line of message.split("\r\n")) assert.ok(line.length <= 78, line);
  for (const [word] of message.matchAll(/=\?[^ ]*\?=/g)) assert.ok(word.length <= 75, word);
}

test("a mail carries what it was given, and the date in the form of mails", () => {
  const replyTo = new Mailbox("help@Example.com", 'say "hi"');
  const date = Date.UTC(2026, 0, 2, 3, 4, 5);
  const message = mail({ replyTo, date, id: "0199-a/b" });
  assertClean(message);
  assert.deepEqual(read(message), {
    fields: {
      From: '"Example, Inc." <noreply@mail.example.com>',
      To: "<alice@example.net>",
      "Reply-To": '"say \\"hi\\"" <help@example.com>',
      Subject: "Code 123456",
      "Message-ID": "<0199-a-b@mail.example.com>",
      Date: "Fri, 02 Jan 2026 03:04:05 +0000",
      "MIME-Version": "1.0",
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Transfer-Encoding": "7bit",
    },
    body: "Hello\r\n",
  });
});

test("date, Message-ID and boundary are fresh for each mail", () => {
  const before = Math.floor(Date.now() / 1000) * 1000;
  const [one, other] = [1, 2].map(() => read(mail({ html: "<p>Hello</p>" })).fields);
  assert.ok(Date.parse(one.Date) >= before);
  assert.match(one["Message-ID"], /^<[0-9a-f-]{36}@mail\.example\.com>$/);
  assert.notEqual(one["Message-ID"], other["Message-ID"]);
  assert.notEqual(one["Content-Type"], other["Content-Type"]);
});

test("all attempts of a message have one Message-ID", () => {
  for (const [id, token] of [
    ["0199a3f2-7b1c", "0199a3f2-7b1c"],
    ["a@b>\r\nBcc: <c", "a-b---Bcc---c"],
    ["..ü".repeat(99), "-".repeat(64)],
  ]) {
    const [one, other] = [1, 2].map(() => read(mail({ id, html: "<p>Hello</p>" })).fields);
    assert.equal(one["Message-ID"], `<${token}@mail.example.com>`);
    assert.equal(one["Message-ID"], other["Message-ID"]);
    assert.ok(!("Bcc" in one));
  }
});

const TEXTS = [
  "Grüße aus München",
  "验证码 123456",
  "🌍👩‍👩‍👧",
  "two  spaces",
  "=?utf-8?Q?not_encoded?=",
  "x".repeat(1200),
  "many ASCII words",
  "words: that: end: like: names: of: fields:",
];

test("subjects and names in many scripts and of any length are read back as they were", () => {
  for (const text of TEXTS.flatMap((one) => [one, Array(9).fill(one).join(" ")])) {
    const message = mail({ subject: text, from: new Mailbox("a@b.test", text) });
    assertClean(message);
    const { From, Subject } = read(message).fields;
    assert.equal(Subject, text);
    assert.equal(From.replaceAll('"', ""), `${text} <a@b.test>`);
  }
});

test("another reader reads the same, where there is Python", (t) => {
  // The older of its two readers of names: in Python 3.11 the newer one puts a space between encoded words.
  const script = `import email, email.policy, json, sys
from email.header import decode_header, make_header
from email.utils import parseaddr
raw = sys.stdin.buffer.read()
mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
name = parseaddr(email.message_from_bytes(raw)["from"])[0]
name = str(make_header(decode_header(name)))
bodies = [part.get_content() for part in mail.walk() if not part.is_multipart()]
defects = [str(defect) for part in mail.walk() for defect in part.defects]
print(json.dumps([mail["subject"], name, bodies, defects]))`;
  for (const text of TEXTS) {
    const input = mail({ subject: text, from: new Mailbox("a@b.test", text), text, html: "<p>ü" });
    const { error, stdout, stderr } = spawnSync("python3", ["-c", script], {
      input,
      encoding: "utf8",
    });
    if (error) return t.skip("python3 is not installed");
    assert.ok(stdout, stderr);
    const [subject, name, [plain, html], defects] = JSON.parse(stdout);
    assert.deepEqual([subject, name, plain.trimEnd()], [text, text, text]);
    assert.equal(html, "<p>ü");
    assert.deepEqual(defects, []);
  }
});

test("no text begins another header", () => {
  for (const evil of [
    "Hi\r\nBcc: v@evil.test",
    "Hi\nBcc: v@evil.test",
    "Hi\rBcc: v",
    'A"\r\nBcc: v',
    "ü\r\nBcc: v",
    "\0Hi\r\n\r\nbody",
  ]) {
    const from = `${evil} <a@b.test>`;
    const message = mail({ subject: evil, from, replyTo: from });
    assertClean(message);
    const { fields, body } = read(message);
    assert.equal(Object.keys(fields).length, 9);
    assert.equal(body, "Hello\r\n");
    assert.equal(
      fields.Subject,
      evil
        .split(/[\0\r\n]+/)
        .filter(Boolean)
        .join(" "),
    );
  }
});

test("text and HTML become alternatives, the HTML last", () => {
  const message = mail({ text: "Hello\n.\n", html: "<p>Grüße</p>" });
  assertClean(message);
  const { fields, body } = read(message);
  const [, boundary] = /^multipart\/alternative; boundary="(.*)"$/.exec(fields["Content-Type"]);
  assert.ok(!("Content-Transfer-Encoding" in fields));
  const [before, plain, html, after] = `\r\n${body}`.split(`\r\n--${boundary}`);
  assert.equal(before, "");
  assert.deepEqual(read(plain.slice(2)), {
    fields: {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Transfer-Encoding": "7bit",
    },
    body: "Hello\r\n.\r\n",
  });
  assert.equal(read(html.slice(2)).fields["Content-Type"], "text/html; charset=utf-8");
  assert.equal(read(html.slice(2)).body, "<p>Grüße</p>");
  assert.equal(after, "--\r\n");
});

test("a lone HTML body is a mail of one part", () => {
  const { fields, body } = read(mail({ text: undefined, html: "<p>Hello</p>" }));
  assert.equal(fields["Content-Type"], "text/html; charset=utf-8");
  assert.equal(body, "<p>Hello</p>\r\n");
});

test("a long line, a foreign letter and a control character put a body into base64", () => {
  for (const text of ["a".repeat(79), "ü".repeat(600), "nul\0", `${"é\r\n".repeat(999)}.`]) {
    const message = mail({ text });
    assertClean(message);
    const { fields, body } = read(message);
    assert.equal(fields["Content-Transfer-Encoding"], "base64");
    assert.equal(body, text);
  }
  assert.equal(read(mail({ text: "a\nb\r\nc\rd" })).body, "a\r\nb\r\nc\r\nd\r\n");
});

test("an address is one address, its domain in A-labels", () => {
  assert.equal(address(" Alice@EXAMPLE.Net "), "Alice@example.net");
  assert.equal(address("user@München.example"), "user@xn--mnchen-3ya.example");
  assert.equal(address('"a b"@x.test'), '"a b"@x.test');
});

test("what is no address is refused, and not repeated", () => {
  for (const bad of [
    "",
    "alice",
    "alice@",
    "@x.test",
    "alice@b@c.test",
    "alice@x.test, b@x.test",
    "alice,b@x.test",
    "alice@x.test\r\nBcc: b@x.test",
    "alice@x.test\r\n",
    "alice@[127.0.0.1]",
    "alice@x..test",
    "alice@x.test/a",
    "alice@ü.test/a",
    "alice b@x.test",
    "<alice@x.test>",
    "alice\u0085@x.test",
    "alice\ud800@x.test",
    "alice@127.0.0.1",
    "alice@１.１",
    "=?utf-8?Q?b?=@x.test",
    '"alice> <b"@x.test',
    '"alice (b"@x.test',
    '"alice ]"@x.test',
    `${"a".repeat(65)}@x.test`,
  ]) {
    assert.equal(address(bad), undefined, bad);
    assert.throws(
      () => mail({ to: bad }),
      (failure) => {
        return failure.kind === "rejected" && !failure.message.includes("alice");
      },
    );
  }
  const lost = { kind: "invalid-settings", message: "from: is no mail address" };
  for (const from of ["", "Only a name", "A <x@y@z.test>", "A <x@\r\ny.test>"]) {
    assert.throws(() => mail({ from }), lost);
    if (from) assert.throws(() => mail({ replyTo: from }), { kind: "rejected" });
  }
});

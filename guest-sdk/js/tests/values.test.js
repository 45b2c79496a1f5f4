// What people may choose who ask for a message: names, and never addresses or markup.

import assert from "node:assert/strict";
import test from "node:test";

import { Mailbox } from "../sdk/index.js";
import { message } from "../sdk/testing.js";

const NAME = '<a href="https://evil.test">ceo@bank.test</a>, V\u202e <v@evil.test>';
const SHOWN = "a href= https //evil.test ceo bank.test /a V v evil.test";

function mail(fields, unescapedHtml) {
  const payload = { code: "123456", name: NAME, mail: "v@evil.test" };
  const body = "<p title='{{name}}'>";
  const content = { subject: "{{name}}", body, contentType: "text/html", text: "{{name}}", ...fields };
  return message({ payload, content, unescapedHtml });
}

test("a value is a name and never an address", () => {
  for (const [sendFrom, sender, text] of [
    ["{{name}}", `${SHOWN} <own@x.test>`, SHOWN],
    ["{{mail}}", "v evil.test <own@x.test>", "v evil.test"],
    ["{{name}} <team@x.test>", `${SHOWN} <team@x.test>`, `${SHOWN} <team@x.test>`],
    ["Team <{{mail}}>", "Team <own@x.test>", "Team"],
    ["<{{mail}}>", "Own <own@x.test>", undefined],
    ["{{code}}@x.test", "Own <own@x.test>", undefined],
    ["Team <team@x.test>", "Team <team@x.test>", "Team <team@x.test>"],
  ]) {
    const filled = mail({ sendFrom });
    assert.equal(String(filled.sender(new Mailbox("own@x.test", "Own"))), sender, sendFrom);
    assert.equal(filled.content.sendFrom, text, sendFrom);
  }
  for (const [replyTo, expected] of [
    ["{{mail}}", undefined],
    ["Help <{{mail}}>", undefined],
    ["help+{{code}}@x.test", undefined],
    ["Help {{mail}} <help@x.test>", "Help v evil.test <help@x.test>"],
    ["help@x.test", "help@x.test"],
  ]) {
    assert.equal(mail({ replyTo }).replyTo, expected, replyTo);
    assert.equal(mail({ replyTo }).content.replyTo, expected, replyTo);
  }
});

test("a value is text in HTML and never markup", () => {
  const escaped =
    "&lt;a href=&quot;https://evil.test&quot;&gt;ceo@bank.test&lt;/a&gt;, V\u202e &lt;v@evil.test&gt;";
  assert.equal(mail({}).content.body, `<p title='${escaped}'>`);
  assert.equal(mail({}).content.text, NAME);
  assert.equal(mail({}).plainBody, `<p title='${NAME}'>`);
  assert.equal(mail({}, true).content.body, `<p title='${NAME}'>`);
  assert.equal(mail({ contentType: "text/plain" }).content.body, `<p title='${NAME}'>`);
});

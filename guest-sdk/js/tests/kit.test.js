// The recorded rows of Logto's connector kit.

import assert from "node:assert/strict";
import test from "node:test";

import { Mailbox, render } from "../sdk/index.js";
import { parsePayload } from "../sdk/template.js";
import { Templates } from "../sdk/usage.js";
import { vectors } from "./golden.js";

/** Inherited properties count as missing here. */
const INHERITED = /{{\s*(constructor|toString|__proto__|hasOwnProperty|valueOf)\b/;

test("variables are filled in as the kit fills them in", () => {
  for (const { id, template, payload, expect } of vectors("render.jsonl")) {
    if (!INHERITED.test(template)) assert.equal(render(template, payload), expect, id);
  }
});

test("numbers are written as the kit writes them", () => {
  for (const { id, template, payload, expect } of vectors("number-format.jsonl")) {
    assert.equal(render(template, payload), expect, id);
  }
});

test("templates are chosen as the kit chooses them", () => {
  for (const { id, args, expect } of vectors("template-choice.jsonl")) {
    const [usageType, { templates }] = args;
    if (!Array.isArray(templates)) continue;
    const choose = () => new Templates(templates).choose(usageType);
    if (expect) assert.deepEqual(choose(), expect, id);
    else assert.throws(choose, { kind: "template-not-found" }, id);
  }
});

test("senders are read as the kit reads them", () => {
  for (const { id, fn, args, expect } of vectors("mailbox.jsonl")) {
    if (fn !== "parseSendFrom") continue;
    const [typed, address, name] = args;
    const { address: email, name: read } = Mailbox.parse(
      typed ?? "",
      new Mailbox(address, name ?? ""),
    );
    assert.deepEqual({ email, ...(read && { name: read }) }, expect, id);
  }
});

test("inherited names count as missing", () => {
  const payload = { code: "1", list: [] };
  const text = "{{constructor}} {{ toString.x }} [{{list.constructor}}]";
  assert.equal(render(text, payload), "{{constructor}} {{ toString.x }} []");
});

test("values are inserted as they are and not read again", () => {
  assert.equal(render("{{{a}}}{{a", { a: "{{b}}$&<b>", b: "x" }), "{{{b}}$&<b>}{{a");
});

test("what a payload calls toString is never called", () => {
  assert.equal(render("{{a}}", { a: { toString: "x" } }), "[object Object]");
});

test("half a surrogate pair becomes the replacement character", () => {
  const text = String.raw`{"a":"\ud83d","b":"\uD83D\uDE00 \\ud83d \udc00\ud83dx","10":1,"9":2}`;
  const payload = JSON.stringify(parsePayload(text));
  assert.equal(payload, String.raw`{"9":2,"10":1,"a":"�","b":"😀 \\ud83d ��x"}`);
});

test("what is no object is no payload", () => {
  for (const text of ["", "[]", "null", "{", '"a"']) assert.equal(parsePayload(text), undefined);
});
